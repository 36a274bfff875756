"""The page at / in a real browser: headless Chromium, through Playwright.

Needs Chromium (CHROMIUM names it where it is not found) and is skipped without. FORETOKEN_SCREENSHOTS names a folder for
pictures of what was tested.
"""

import json
import os
import pathlib
import re
import shutil

import pytest
from conftest import DRAFT, Server

playwright = pytest.importorskip("playwright.sync_api", reason="the page's tests need the package playwright")

CHROMIUM = os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, ["chromium", "chromium-browser", "google-chrome"])), None)
PROMPT = "Write a JSON record for a person: Clara Weber, 34 years old, designer from Vienna."
SIZES = {"desktop": (1280, 860), "phone": (390, 844)}


@pytest.fixture(scope="module")
def browser():
    with playwright.sync_playwright() as engine:
        try:
            browser = engine.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        except playwright.Error as error:
            pytest.skip(f"the page's tests need Chromium: {str(error).splitlines()[0]}")
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def server():
    """A server that always proposes: what pays depends on the machine."""
    config = {"method": "draft_model", "model": DRAFT, "num_speculative_tokens": 4}
    server = Server("--threads", "2", "--speculative-config", json.dumps(config), speculation=False)
    yield server
    assert server.stop() == 0


@pytest.fixture(params=[(size, scheme) for size in SIZES for scheme in ("light", "dark")], ids="-".join)
def page(request, browser, server):
    """The page in one size and colour scheme; fails on outside requests and on errors of its scripts."""
    size, scheme = request.param
    width, height = SIZES[size]
    context = browser.new_context(viewport={"width": width, "height": height}, color_scheme=scheme, has_touch=size == "phone")
    page = context.new_page()
    asked, troubles = [], []
    page.on("request", lambda sent: asked.append(sent.url))
    page.on("pageerror", lambda error: troubles.append(str(error)))
    page.on("console", lambda message: troubles.append(message.text) if message.type == "error" else None)
    page.goto(server.url)
    page.wait_for_selector("#dot.ready")
    yield page
    shoot(page, request.node.name)
    # Nothing is wider than the window, before or after an answer.
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert [url for url in asked if not url.startswith((server.url, "data:"))] == []
    # A refusal that a test asks for is in the console as well.
    assert [trouble for trouble in troubles if trouble not in getattr(page, "expected", [])] == []
    context.close()


def shoot(page, name):
    if folder := os.environ.get("FORETOKEN_SCREENSHOTS"):
        pathlib.Path(folder).mkdir(parents=True, exist_ok=True)
        page.screenshot(path=str(pathlib.Path(folder, re.sub(r"[^a-z0-9-]+", "-", name.lower()).strip("-") + ".png")))


def colour(page, selector, name="background-color"):
    return page.eval_on_selector(selector, f"element => getComputedStyle(element).getPropertyValue('{name}')")


def lightness(text):
    """0 to 1, of a colour as a browser computes it."""
    return sum(float(part) for part in re.findall(r"[\d.]+", text)[:3]) / 3 / (1 if text.startswith("color(") else 255)


def send(page, button):
    page.evaluate("document.getElementById('max_tokens').value = 60")
    page.fill("#prompt", PROMPT)
    page.click(button)


def test_it_opens_with_an_explanation_in_the_right_colours(page):
    assert page.is_visible("#welcome") and page.locator(".example").count() >= 4
    dark = page.evaluate("matchMedia('(prefers-color-scheme: dark)').matches")
    ground, ink = lightness(colour(page, "body")), lightness(colour(page, "body", "color"))
    assert (ground < 0.2 < 0.8 < ink) if dark else (ink < 0.2 < 0.8 < ground)
    # The theme's button goes from the system's colours to the two others and back.
    page.click("#theme")
    assert lightness(colour(page, "body")) > 0.8
    page.click("#theme")
    assert lightness(colour(page, "body")) < 0.2
    page.click("#theme")
    assert lightness(colour(page, "body")) == ground


def test_an_answer_streams_in_the_colours_of_its_proposers(page):
    send(page, "#run")
    # It grows while it comes.
    page.wait_for_selector(".answer .token")
    page.wait_for_selector(".answer:not([aria-busy]) .figures")
    tokens = page.locator(".answer .token").all()
    kinds = {re.search(r"o-(\w+)", token.get_attribute("class"))[1] for token in tokens}
    assert len(tokens) > 20 and "target" in kinds and kinds & {"draft_model", "suffix", "ngram"}
    # Whoever proposed has a colour of its own, and the legend says whose it is and how many there were.
    kind = (kinds - {"target"}).pop()
    drafted = colour(page, f".answer .token.o-{kind}")
    assert drafted != colour(page, ".answer .token.o-target")
    assert colour(page, f".counts .swatch.o-{kind}") == drafted
    legend = page.locator(".counts li").all_inner_texts()
    assert len(legend) == len(kinds) and sum(int(re.search(r"\d+", text)[0]) for text in legend) >= len(tokens)
    # Figures, and the chart of acceptance by place in the window.
    assert re.search(r"\d", page.inner_text(".measures dl"))
    assert "place in the window" in page.inner_text(".chart figcaption") and page.locator(".chart .bar").count() >= 1
    assert re.search(r"1: \d+ %", page.get_attribute(".chart svg", "aria-label"))
    # Without the colours the text is the same.
    page.evaluate("document.getElementById('marks').click()")
    assert colour(page, f".answer .token.o-{kind}") != drafted


def test_side_by_side_both_say_the_same(page):
    send(page, "#compare")
    page.wait_for_selector(".verdict", timeout=60_000)
    assert "same" in page.get_attribute(".verdict", "class") and "Identical" in page.inner_text(".verdict strong")
    first, second = page.locator(".answer .text").all_inner_texts()
    assert first == second != ""
    plain = page.locator(".answer").nth(1)
    assert plain.locator(".token:not(.o-target)").count() == 0 and plain.locator(".token").count() > 20
    # What came of it is in sight, below the header.
    page.wait_for_function(
        """() => { const top = document.querySelector(".verdict").getBoundingClientRect().top;
        return top >= document.querySelector("header").getBoundingClientRect().bottom && top < innerHeight }""",
        timeout=5_000)
    boxes = [answer.bounding_box() for answer in page.locator(".answer").all()]
    narrow = page.viewport_size["width"] < 760
    assert (boxes[1]["y"] > boxes[0]["y"]) == narrow and (boxes[1]["x"] > boxes[0]["x"]) == (not narrow)


def test_a_completion_and_an_error_are_shown(page):
    page.click('label:has-text("Completion")')
    page.fill("#prompt", "1, 2, 3, 4, 5,")
    page.click("#run")
    page.wait_for_selector(".answer:not([aria-busy]) .figures")
    assert page.inner_text(".answer .given") == "1, 2, 3, 4, 5,"
    page.expected = ["Failed to load resource: the server responded with a status of 400 (Bad Request)"]
    page.evaluate("document.getElementById('temperature').value = 1000")
    page.fill("#prompt", "again")
    page.click("#run")
    page.wait_for_selector(".problem")
    assert "temperature is 1000" in page.inner_text(".problem")


def test_settings_can_be_reached(page):
    if page.is_visible("#open-settings"):
        assert not page.is_visible("#temperature")
        page.click("#open-settings")
    page.wait_for_selector("#temperature", state="visible")
    page.click('label:has-text("Window")')
    page.wait_for_selector("#window", state="visible")
    box = page.locator("#settings").bounding_box()
    assert box["x"] >= 0 and box["x"] + box["width"] <= page.viewport_size["width"] + 1


def test_what_is_left_empty_is_the_model_s_own(page):
    with page.expect_request("**/v1/chat/completions") as asked:
        send(page, "#run")
    body = asked.value.post_data_json
    assert not {"temperature", "top_p", "top_k", "min_p"} & set(body)
    # The model's makers suggest greedy answers, which stands grey in the field.
    assert page.get_attribute("#temperature", "placeholder") == "0" and page.input_value("#temperature") == ""
    page.wait_for_selector(".answer:not([aria-busy]) .figures")


def test_enter_sends_and_shift_enter_begins_a_line(page):
    if not page.evaluate("matchMedia('(hover: hover)').matches"):
        pytest.skip("on a keyboard of a phone Enter begins a line")
    page.evaluate("document.getElementById('max_tokens').value = 8")
    page.fill("#prompt", "one")
    page.press("#prompt", "Shift+Enter")
    assert page.input_value("#prompt") == "one\n" and page.locator(".answer").count() == 0
    page.type("#prompt", "two")
    page.press("#prompt", "Enter")
    page.wait_for_selector(".answer:not([aria-busy]) .figures")
    assert page.inner_text(".asked") == "one\ntwo"


def test_what_is_served_is_shown(page):
    facts = page.evaluate("document.getElementById('served').textContent")
    assert "draft_model" in facts and "foretoken-reference-draft" in facts and "4096 tokens" in facts


def test_bars_and_total_are_of_the_same_guesses(page):
    send(page, "#run")
    page.wait_for_selector(".answer:not([aria-busy]) .figures")
    accepted, proposed = map(int, re.findall(r"\d+", page.evaluate(
        "[...document.querySelectorAll('.measures div')].find((one) => one.textContent.includes('Guesses')).title")))
    total = round(100 * accepted / proposed)
    bars = [int(share) for share in re.findall(r": (\d+) %", page.get_attribute(".chart svg", "aria-label"))]
    assert min(bars) <= total <= max(bars)


def test_a_key_is_asked_for_where_one_looks(browser, start):
    server = start("--threads", "2", "--api-key", "hush")
    page = browser.new_page()
    page.goto(server.url)
    page.wait_for_selector("#key-needed", state="visible")
    page.click("#enter-key")
    page.fill("#key", "hush")
    page.press("#key", "Tab")
    page.wait_for_selector("#dot.ready")
    assert page.is_hidden("#key-needed")
    page.close()
