"""The page at / in a real browser: headless Chromium, through Playwright.

Needs Chromium (CHROMIUM names it where it is not found) and is skipped without. FORETOKEN_SCREENSHOTS names a folder for
pictures of what was tested.
"""

import importlib.util
import json
import os
import pathlib
import re
import shutil
import time

import commonmark
import pytest
from conftest import DRAFT, Server
from scripted import checkpoint

playwright = pytest.importorskip("playwright.sync_api", reason="the page's tests need the package playwright")

CHROMIUM = os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, ["chromium", "chromium-browser", "google-chrome"])), None)
PROMPT = "Write a JSON record for a person: Clara Weber, 34 years old, designer from Vienna."
SIZES = {"desktop": (1280, 860), "phone": (390, 844)}
RUNNING, DONE = "body.is-running", "body:not(.is-running)"
AXE = pathlib.Path(importlib.util.find_spec("axe_playwright_python").origin).with_name("axe.min.js")


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


@pytest.fixture
def desktop(browser, server):
    """The page where the size does not matter."""
    context = browser.new_context(viewport={"width": 1280, "height": 860}, accept_downloads=True)
    page = context.new_page()
    page.goto(server.url)
    page.wait_for_selector("#dot.ready")
    yield page
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


def until(page, script, what=True, seconds=10):
    """Waits for what a script gives. (`wait_for_function` evaluates text within the page, which the page forbids.)"""
    deadline = time.monotonic() + seconds
    while (found := page.evaluate(script)) != what:
        assert time.monotonic() < deadline, f"{script} is {found!r}"
        time.sleep(0.03)


def send(page, button="#run", prompt=PROMPT, tokens=60):
    page.evaluate(f"document.getElementById('max_tokens').value = {tokens}")
    page.fill("#prompt", prompt)
    page.click(button)


def ask(page, prompt=PROMPT, **more):
    send(page, prompt=prompt, **more)
    page.wait_for_selector(DONE + " .answer .figures")


def slow_down(page, bytes_per_second):
    """Lets answers come slowly; -1 for as fast as they are."""
    session = page.context.new_cdp_session(page)
    session.send("Network.enable")
    session.send("Network.emulateNetworkConditions", {
        "offline": False, "latency": 0, "downloadThroughput": bytes_per_second, "uploadThroughput": -1})


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
    send(page)
    # It grows while it comes.
    page.wait_for_selector(".answer .token")
    page.wait_for_selector(DONE + " .answer .figures")
    tokens = page.locator(".answer .token").all()
    kinds = {re.search(r"o-(\w+)", token.get_attribute("class"))[1] for token in tokens}
    assert len(tokens) > 20 and "target" in kinds and kinds & {"draft_model", "suffix", "ngram"}
    # One line of figures, and more on demand.
    assert re.search(r"[\d.]+ tokens/s.*\d+ % accepted.*\d+ tokens", page.inner_text(".figures summary").replace("\n", " "))
    assert page.locator(".strip rect").count() > 10 and not page.is_visible(".chart")
    page.click(".figures summary")
    page.wait_for_selector(".chart svg")
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
    # Token by token the text is as it was written; without colours it is the same.
    page.click('#view label:has-text("Tokens")')
    raw = page.evaluate("document.querySelector('.answer > .text').textContent.replaceAll('↵', '')")
    page.click('#view label:has-text("Text")')
    assert page.locator(".answer .token").count() == 0
    words = page.evaluate("document.querySelector('.answer > .text').textContent")
    assert "".join(words.split()) == "".join(raw.split()) != ""


def test_a_token_says_who_named_it_and_how_probable_it_was(page):
    page.evaluate("document.getElementById('probabilities').checked = true")
    ask(page)
    token = page.locator(".answer .token.o-draft_model").first
    token.click()
    page.wait_for_selector("#token-card:popover-open")
    card = page.inner_text("#token-card")
    assert "Proposed by the draft model" in card and "in its window" in card and re.search(r"\d %", card)
    assert page.locator("#token-card tbody tr").count() >= 5 and page.locator("#token-card tr.chosen").count() == 1
    box, size = page.locator("#token-card").bounding_box(), page.viewport_size
    assert box["x"] >= 0 and box["x"] + box["width"] <= size["width"] and box["y"] >= 0
    shoot(page, f"token-card-{size['width']}-{page.evaluate('matchMedia(`(prefers-color-scheme: dark)`).matches')}")
    page.keyboard.press("Escape")
    assert page.locator("#token-card:popover-open").count() == 0
    # A token of the target's own in a window is one that was proposed otherwise.
    texts = page.evaluate("""async () => {
      const { provenance } = await import("/page/tokens.js");
      const stored = JSON.parse(Object.entries(localStorage).find(([key]) => key.startsWith("foretoken-conversation-"))[1]);
      return stored.turns[1].answers[0].tokens.filter((one) => one.w && one.n < one.w && one.o === "target").map((one) => provenance(one).join(" "));
    }""")
    assert all("proposed “" in text and text.endswith("instead.") for text in texts)


def test_side_by_side_both_say_the_same(page):
    send(page, "#compare")
    page.wait_for_selector(".verdict", timeout=60_000)
    assert "same" in page.get_attribute(".verdict", "class") and "Identical" in page.inner_text(".verdict strong")
    first, second = page.locator(".answer > .text").all_inner_texts()
    assert first == second != ""
    plain = page.locator(".answer").nth(1)
    assert plain.locator(".token:not(.o-target)").count() == 0 and plain.locator(".token").count() > 20
    # What came of it is in sight, below the header.
    until(page, """(() => { const top = document.querySelector(".verdict").getBoundingClientRect().top;
        return top >= document.querySelector("header").getBoundingClientRect().bottom && top < innerHeight })()""")
    boxes = [answer.bounding_box() for answer in page.locator(".answer").all()]
    narrow = page.viewport_size["width"] < 760
    assert (boxes[1]["y"] > boxes[0]["y"]) == narrow and (boxes[1]["x"] > boxes[0]["x"]) == (not narrow)


def test_a_completion_and_an_error_are_shown(page):
    page.click('label:has-text("Completion")')
    ask(page, "1, 2, 3, 4, 5,")
    assert page.inner_text(".answer > .text").startswith("1, 2, 3, 4, 5, 6") and page.inner_text(".answer .given") == "1, 2, 3, 4, 5,"
    page.expected = ["Failed to load resource: the server responded with a status of 400 (Bad Request)"]
    page.evaluate("document.getElementById('temperature').value = 1000")
    page.fill("#prompt", "again")
    page.click("#run")
    page.wait_for_selector(".problem")
    assert "temperature is 1000" in page.inner_text(".problem")


def test_settings_can_be_reached_and_stay_with_the_conversation(page):
    assert not page.is_visible("#temperature")
    page.click("#open-settings")
    page.wait_for_selector("#temperature", state="visible")
    page.select_option("#method", "draft_model") if page.locator("#method option[value=draft_model]").count() else None
    page.fill("#window", "3")
    page.fill("#system", "Be brief.")
    box = page.locator("#settings").bounding_box()
    until(page, "document.getElementById('settings').getBoundingClientRect().right <= innerWidth + 1")
    assert box["width"] <= page.viewport_size["width"]
    page.click("#close-settings")
    with page.expect_request("**/v1/chat/completions") as asked:
        ask(page)
    body = asked.value.post_data_json
    assert body["speculative"]["num_speculative_tokens"] == 3 and body["messages"][0] == {"role": "system", "content": "Be brief."}
    page.reload()
    page.wait_for_selector("#dot.ready")
    assert page.input_value("#window") == "3" and page.input_value("#system") == "Be brief."
    # Another conversation has its own.
    page.evaluate("document.getElementById('new').click()")
    assert page.input_value("#window") == page.input_value("#system") == ""


def test_what_is_left_empty_is_the_model_s_own(page):
    with page.expect_request("**/v1/chat/completions") as asked:
        send(page)
    body = asked.value.post_data_json
    assert not {"temperature", "top_p", "top_k", "min_p", "logprobs"} & set(body)
    # The model's makers suggest greedy answers, which stands grey in the field.
    assert page.get_attribute("#temperature", "placeholder") == "0" and page.input_value("#temperature") == ""
    page.wait_for_selector(DONE + " .answer .figures")


def test_enter_sends_and_shift_enter_begins_a_line(page):
    if not page.evaluate("matchMedia('(hover: hover)').matches"):
        pytest.skip("on a keyboard of a phone Enter begins a line")
    page.evaluate("document.getElementById('max_tokens').value = 8")
    page.fill("#prompt", "one")
    page.press("#prompt", "Shift+Enter")
    assert page.input_value("#prompt") == "one\n" and page.locator(".answer").count() == 0
    page.type("#prompt", "two")
    page.press("#prompt", "Enter")
    page.wait_for_selector(DONE + " .answer .figures")
    assert page.inner_text(".asked") == "one\ntwo"


def test_what_is_served_is_shown_at_the_top(page):
    line = page.inner_text("#served-line")
    assert "draft_model with foretoken-reference-draft" in line and "4096 tokens of context" in line and "kernels" in line
    assert not page.is_visible("#served")
    page.click("#served-button")
    page.wait_for_selector("#served", state="visible")
    assert "up to 4" in page.inner_text("#served")


def test_bars_and_total_are_of_the_same_guesses(page):
    ask(page)
    page.click(".figures summary")
    page.wait_for_selector(".chart svg")
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


# Conversations


def titles(page):
    return page.locator(".conversation").all_inner_texts()


def menu(page, place, entry):
    page.locator("#conversations li").nth(place).hover()
    page.locator("#conversations li .button").nth(place).click()
    page.click(f'[role=menuitem]:has-text("{entry}")')


def test_conversations_survive_a_reload(desktop):
    ask(desktop, "Write a numbered list of 9 animals.")
    ask(desktop, "And 5 plants.")
    answers = desktop.locator(".answer > .text").all_inner_texts()
    desktop.fill("#prompt", "not sent yet")
    desktop.reload()
    desktop.wait_for_selector("#dot.ready")
    assert desktop.locator(".answer > .text").all_inner_texts() == answers and len(answers) == 2
    assert desktop.input_value("#prompt") == "not sent yet" and titles(desktop) == ["Write a numbered list of 9 animals."]
    # The colours and the figures too.
    assert desktop.locator(".answer .token.o-draft_model").count() > 0 and "accepted" in desktop.inner_text(".figures summary")
    # What comes next knows what came before.
    with desktop.expect_request("**/v1/chat/completions") as asked:
        ask(desktop, "Go on.")
    messages = asked.value.post_data_json["messages"]
    assert [message["role"] for message in messages] == ["user", "assistant"] * 2 + ["user"]
    assert "".join(messages[1]["content"].split()) == "".join(answers[0].split()) or messages[1]["content"].startswith("1.")


def test_an_answer_that_a_reload_cut_off_is_kept_and_gone_on_with(desktop):
    slow_down(desktop, 9_000)
    send(desktop, prompt="Write a story that begins at the old harbour with a stranger.", tokens=60)
    until(desktop, "document.querySelectorAll('.answer .token').length >= 8")
    before = desktop.evaluate("document.querySelector('.answer > .text').textContent")
    desktop.reload()
    desktop.wait_for_selector("#dot.ready")
    cut = desktop.evaluate("document.querySelector('.answer > .text').textContent")
    assert cut.startswith(before) and "Cut off" in desktop.inner_text(".ended")
    slow_down(desktop, -1)
    with desktop.expect_request("**/v1/chat/completions") as asked:
        desktop.click('button:has-text("Continue")')
        desktop.wait_for_selector(DONE + " .answer .figures")
    body = asked.value.post_data_json
    assert body["continue_final_message"] is True and body["messages"][-1]["role"] == "assistant"
    whole = desktop.evaluate("document.querySelector('.answer > .text').textContent")
    assert whole.startswith(cut) and len(whole) > len(cut)
    # It is what comes without an interruption.
    desktop.click('button:has-text("Regenerate")')
    desktop.wait_for_selector(DONE + " .switcher")
    assert desktop.evaluate("document.querySelector('.answer > .text').textContent")[:len(cut) + 10] == whole[:len(cut) + 10]


def test_stopped_by_escape(desktop):
    slow_down(desktop, 9_000)
    send(desktop, prompt="Write a story that begins at the old harbour with a stranger.")
    desktop.wait_for_selector(RUNNING + " .answer .token")
    desktop.keyboard.press("Escape")
    desktop.wait_for_selector(DONE + " .ended")
    assert desktop.inner_text(".ended") == "Stopped." and desktop.is_visible('button:has-text("Continue")')
    slow_down(desktop, -1)


def test_conversations_are_renamed_deleted_and_brought_back(desktop):
    ask(desktop, "Write a numbered list of 9 animals.", tokens=8)
    desktop.click("#new")
    assert desktop.is_visible("#welcome")
    ask(desktop, "Write a short poem.", tokens=8)
    assert titles(desktop) == ["Write a short poem.", "Write a numbered list of 9 animals."]
    menu(desktop, 1, "Rename")
    desktop.keyboard.type("Animals <b>")
    desktop.keyboard.press("Enter")
    assert titles(desktop)[1] == "Animals <b>"
    menu(desktop, 0, "Delete")
    assert titles(desktop) == ["Animals <b>"] and desktop.is_visible("#welcome")
    desktop.click('#toast button:has-text("Undo")')
    assert titles(desktop) == ["Write a short poem.", "Animals <b>"] and desktop.locator(".answer").count() == 1
    menu(desktop, 0, "Delete")
    desktop.reload()
    desktop.wait_for_selector("#dot.ready")
    assert titles(desktop) == ["Animals <b>"]
    assert desktop.inner_text(".asked") == "Write a numbered list of 9 animals."


def test_conversations_go_out_and_come_back(desktop, tmp_path):
    ask(desktop, "Write a numbered list of 9 animals.")
    with desktop.expect_download() as download:
        menu(desktop, 0, "Export as Markdown")
    assert download.value.suggested_filename == "write-a-numbered-list-of-9-animals.md"
    text = pathlib.Path(download.value.path()).read_text()
    assert "## Question\n\nWrite a numbered list of 9 animals." in text and "## Answer\n\n1." in text
    with desktop.expect_download() as download:
        menu(desktop, 0, "Export as JSON")
    file = tmp_path / "one.json"
    file.write_text(pathlib.Path(download.value.path()).read_text())
    desktop.set_input_files("#import-file", file)
    desktop.wait_for_selector("#toast p")
    assert len(titles(desktop)) == 2
    shown = desktop.inner_text(".answer > .text")
    desktop.locator(".conversation").nth(1).click()
    assert desktop.inner_text(".answer > .text") == shown
    # Files that are something else are refused in words, and change nothing.
    good = json.loads(file.read_text())
    for value, words in [
        ("nonsense", "not JSON"), ("[]", "does not hold"), ('{"format": "foretoken-conversations", "conversations": [{}]}', "no turns"),
        (json.dumps({**good, "conversations": [{"turns": [{"id": "a", "role": "user", "parent": "b"}]}]}), "not there"),
        (json.dumps({**good, "conversations": [{"turns": [{"id": "a", "role": "tool"}]}]}), "neither"),
    ]:
        file.write_text(value)
        desktop.set_input_files("#import-file", file)
        desktop.wait_for_selector(f'#toast p:has-text("{words}")')
    assert len(titles(desktop)) == 2
    # Odd values within a conversation are replaced.
    good["conversations"][0]["turns"][1]["answers"][0].update(tokens=[None, {"t": 5, "p": "x", "o": {}, "a": [[{}, "x"]]}], calls=[7], usage="x", state=3)
    file.write_text(json.dumps(good))
    desktop.set_input_files("#import-file", file)
    desktop.wait_for_selector('#toast p:has-text("Imported")')
    desktop.locator(".conversation").first.click()


def test_a_full_storage_is_said_and_ends_when_there_is_room(desktop):
    desktop.evaluate("localStorage.setItem('filler', 'x'.repeat(5_000_000))")
    desktop.evaluate("for (let size = 200_000; size > 10; size = Math.floor(size / 2)) for (;;) try { localStorage.setItem('filler' + Math.random(), 'x'.repeat(size)) } catch { break }")
    ask(desktop, tokens=20)
    desktop.wait_for_selector("#full", state="visible")
    assert "storage is full" in desktop.inner_text("#full")
    desktop.evaluate("for (const key of Object.keys(localStorage)) if (key.startsWith('filler')) localStorage.removeItem(key)")
    ask(desktop, "And now?", tokens=8)
    until(desktop, "document.getElementById('full').hidden")
    desktop.reload()
    desktop.wait_for_selector("#dot.ready")
    assert desktop.locator(".answer").count() == 2


def test_edited_and_regenerated_turns_are_branches(desktop):
    ask(desktop, "Write a numbered list of 9 animals.", tokens=20)
    ask(desktop, "And plants.", tokens=8)
    desktop.locator(".asked-row").first.hover()
    desktop.locator(".edit").first.click()
    desktop.fill(".editing textarea", "Write a numbered list of 5 colours.")
    desktop.keyboard.press("Enter")
    desktop.wait_for_selector(DONE + " .switcher")
    assert desktop.locator(".asked").all_inner_texts() == ["Write a numbered list of 5 colours."]
    assert desktop.inner_text(".switcher span") == "2 of 2"
    desktop.click('[aria-label="Previous branch"]')
    assert desktop.locator(".asked").all_inner_texts() == ["Write a numbered list of 9 animals.", "And plants."]
    desktop.locator('button:has-text("Regenerate")').first.click()
    desktop.wait_for_selector(DONE + " .answer .figures")
    assert desktop.locator(".answer").count() == 1 and desktop.locator(".switcher").count() == 2
    desktop.reload()
    desktop.wait_for_selector("#dot.ready")
    assert desktop.locator(".switcher span").all_inner_texts() == ["1 of 2", "2 of 2"]


def test_edited_prompts_of_completions_are_branches_too(desktop):
    desktop.click('label:has-text("Completion")')
    ask(desktop, "1, 2, 3, 4, 5,", tokens=12)
    desktop.click('button:has-text("Edit prompt")')
    desktop.fill(".editing textarea", "2, 4, 6, 8,")
    desktop.keyboard.press("Enter")
    desktop.wait_for_selector(DONE + " .switcher")
    assert desktop.inner_text(".answer .given") == "2, 4, 6, 8,"
    desktop.click('[aria-label="Previous branch"]')
    assert desktop.inner_text(".answer .given") == "1, 2, 3, 4, 5,"


def test_another_conversation_can_be_looked_at_while_an_answer_comes(desktop):
    ask(desktop, "Write a numbered list of 9 animals.", tokens=8)
    desktop.click("#new")
    slow_down(desktop, 4_000)
    send(desktop, prompt="Write a story that begins at the old harbour with a stranger.")
    desktop.wait_for_selector(RUNNING + " .answer .token")
    desktop.locator(".conversation").nth(1).click()
    assert desktop.inner_text(".asked").startswith("Write a numbered list") and desktop.is_visible("#stop")
    desktop.locator(".conversation").nth(0).click()
    before = desktop.locator(".answer .token").count()
    until(desktop, f"document.querySelectorAll('.answer .token').length > {before}")
    slow_down(desktop, -1)
    desktop.click("#stop")
    desktop.wait_for_selector(DONE + " .ended")


def test_two_tabs_do_not_write_over_each_other(desktop):
    ask(desktop, "Write a numbered list of 9 animals.", tokens=8)
    other = desktop.context.new_page()
    other.goto(desktop.url)
    other.wait_for_selector("#dot.ready")
    other.click("#new")
    ask(other, "Write a short poem.", tokens=8)
    until(desktop, "document.querySelectorAll('.conversation').length", 2)
    ask(desktop, "And plants.", tokens=8)
    desktop.reload()
    desktop.wait_for_selector("#dot.ready")
    assert sorted(titles(desktop)) == ["Write a numbered list of 9 animals.", "Write a short poem."]


# What answers may hold


SAYS = ["<think>", "Let me *see*.", "</think>", "# Report\n\nSome *prose* with `code`,", " a [safe](https://example.com/a) and an [evil](javascript:alert(1)) link,",
        " [data](data:text/html,x) [case](JaVaScRiPt:alert(1)) <script>window.hacked=1</script>", " <img src=x onerror=\"window.hacked=1\">",
        " ![picture](https://example.com/p.png)", " <https://example.com/b> <javascript:alert(1)>\n\n", "| a | <b>b</b> |\n| --- | ---: |\n| 1 | 2 |\n\n",
        "```html\n<script>window.hacked=1</script>\n```\n", "<tool_call>", '\n{"name": "look", "arguments": {"q": "', "<img src=x onerror=alert(1)>", '"}}\n', "</tool_call>"]
TAGS = ["<think>", "</think>", "<tool_call>", "</tool_call>"]
LOOK = {"type": "function", "function": {"name": "look", "parameters": {
    "type": "object", "properties": {"q": {"type": "string", "maxLength": 40}}, "required": ["q"], "additionalProperties": False}}}


def test_markup_in_answers_stays_text_and_thoughts_and_calls_are_shown(browser, start, tmp_path):
    template = "{#- <tool_call> <think> enable_thinking #}{%- for m in messages %}{{ m.content }}{%- endfor %}<|go|>"
    server = start("--threads", "2", target=checkpoint(tmp_path / "model", SAYS, template, control=TAGS), speculation=False)
    page = browser.new_page()
    asked = []
    page.on("request", lambda sent: asked.append(sent.url))
    page.goto(server.url)
    page.wait_for_selector("#dot.ready")
    # Nothing to compare with; thinking can be switched.
    assert page.is_hidden("#compare") and page.evaluate("!document.getElementById('thinking-group').hidden")
    page.evaluate("(tools) => { document.getElementById('tools').value = tools }", json.dumps([LOOK]))
    ask(page, "<img src=x onerror=window.hacked=1>", tokens=80)
    shoot(page, "markdown")
    links = page.evaluate("[...document.querySelectorAll('#turns a')].map((one) => [one.href, one.rel.includes('noopener')])")
    assert links == [["https://example.com/a", True], ["https://example.com/p.png", True], ["https://example.com/b", True]]
    assert page.locator("#turns img, #turns script, #turns iframe, #turns [onerror], #turns [style*=url]").count() == 0
    assert page.evaluate("window.hacked") is None and not [url for url in asked if "example.com" in url]
    text = page.inner_text(".answer > .text")
    assert "<script>window.hacked=1</script>" in text and "[evil](javascript:alert(1))" in text
    assert [page.inner_text(f".answer > .text {tag}") for tag in ("h4", "em", ":not(pre) > code")] == ["Report", "prose", "code"]
    assert page.locator(".answer > .text table td").all_inner_texts() == ["1", "2"]
    # The thought is folded, and says how long it took.
    assert re.match(r"Thought for [\d.]+ m?s", page.inner_text(".thinking summary")) and not page.is_visible(".thinking .text")
    page.click(".thinking summary")
    assert page.inner_text(".thinking .text") == "Let me see."
    assert page.inner_text(".call code") == "look" and "<img src=x onerror=alert(1)>" in page.inner_text(".call pre")
    # It is the same after a reload, and the policy forbids what is not the page's own.
    page.reload()
    page.wait_for_selector("#dot.ready")
    assert page.inner_text(".answer > .text") == text
    assert page.evaluate("(() => { try { document.body.innerHTML = '<b>x</b>'; return 'allowed' } catch (error) { return error.name } })()") == "TypeError"
    assert page.evaluate("new Promise((done) => { const one = document.createElement('img'); one.onload = () => done('loaded'); one.onerror = () => done('blocked'); one.src = location.origin + '/metrics' })") == "blocked"
    page.close()


MARKDOWN = [
    "# A\n\ntext *em* **strong** ***both*** `code` ~~gone~~", "* a\n* b\n  * c\n    * d\n\n* e", "1. one\n2. two\n   text\n\n   more\n3. three",
    "3) x\n4) y", "> quote\n> more\n>\n> - list\n\nafter", "```python\nx = 1\n\ny\n```\nend", "~~~\n```\n~~~", "| a | b |\n|:--|--:|\n| 1 | `x` |\n| 2 \\| 3 | **y** |\n\ntail",
    "a_b_c _d_ __e__ f*g*h 2*3*4 * x *", '[link](https://example.com/a_(b)) and [x](<https://e.com> "t")', "a\\*b\\* \\# `a\\`", "***a** b*", "**a *b** c*",
    "*a **b***", "# h #\n## h2 ##\n####### no", "text\n# h\n- x\n***\n- y", "a\n\n---\n\nb", "`` a`b `` and ` x ` and ```u", "- a\n\n  b\n- c", "1. a\n   - b\n   - c\n2. d",
    "line one\nline two  \nline three\\\nfour", "*** *** a", "_a_b_c_", "> a\nb\n\nc", "<https://e.com/x> <b>no</b>", "[not a link] [a](b c)", "****a****", "*(a)* **(b)**c",
    "1. x\n\n\n2. y\n\n```\nc\n```", "In\n1986. That year", "- ", "***", "**", "[[[](", "``", ">", "|", "1.",
]


def test_markdown_is_read_as_commonmark_has_it(desktop):
    for source in MARKDOWN:
        assert commonmark.ours(desktop, source) == commonmark.theirs(source), source


def test_no_text_takes_long_to_render(desktop):
    hostile = ["*a " * 8000, "[" * 16000, "`" * 3000 + " `" * 3000, ">" * 8000, "- " * 8000, "**" * 8000, "[a](" * 4000, "<h" * 8000, "\\" * 16000,
               "* " * 4000 + "\n" * 3000, "*a_ " * 6000, "1. x\n" * 4000, "`a" * 8000, "![a](b)" * 2000, "|" * 8000 + "\n|-|\n"]
    for source in hostile:
        # An answer of this length is drawn anew many times a second; a quadratic renderer would not come back.
        assert desktop.evaluate(commonmark.RENDER + "", source) is not None


# Keyboard, screen readers, small windows


def violations(page):
    page.evaluate(AXE.read_text())
    found = page.evaluate("axe.run()")["violations"]
    return [(one["id"], one["impact"], [node["target"] for node in one["nodes"]]) for one in found]


def test_axe_finds_nothing_wrong(page):
    assert violations(page) == []
    ask(page)
    page.click(".figures summary")
    page.wait_for_selector(".chart svg")
    assert violations(page) == []
    page.locator(".answer .token").nth(3).click()
    page.wait_for_selector("#token-card:popover-open")
    assert violations(page) == []
    page.keyboard.press("Escape")
    page.click("#open-settings")
    until(page, "getComputedStyle(document.getElementById('settings')).visibility", "visible")
    assert violations(page) == []


def test_nothing_is_wider_than_a_small_window(browser, server):
    page = browser.new_context(viewport={"width": 320, "height": 568}, has_touch=True).new_page()
    page.goto(server.url)
    page.wait_for_selector("#dot.ready")

    def fits():
        return page.evaluate("""[document.documentElement.scrollWidth <= 320,
            [...document.querySelectorAll("button, input, select, textarea")].filter((one) => one.checkVisibility() && !one.closest("[inert]"))
                .map((one) => one.getBoundingClientRect()).filter((box) => box.right > 321 || box.left < -1).length]""")

    assert fits() == [True, 0]
    ask(page, "Make a table with the capitals of Canada, Egypt, Peru and Norway.")
    page.click(".figures summary")
    assert fits() == [True, 0]
    shoot(page, "small")
    for drawer in ("sidebar", "settings"):
        page.click(f"#open-{drawer}")
        until(page, f"getComputedStyle(document.getElementById('{drawer}')).visibility", "visible")
        assert fits()[0]
        shoot(page, f"small-{drawer}")
        page.click(f"#close-{drawer}")
    send(page, "#compare", tokens=30)
    page.wait_for_selector(".verdict", timeout=60_000)
    assert fits() == [True, 0]
    page.context.close()


def test_all_of_it_by_keyboard(desktop):
    # The first stop of the page leads to the prompt.
    assert desktop.evaluate("document.querySelector('a, button, input, textarea, select').className") == "skip"
    desktop.focus(".skip")
    desktop.keyboard.press("Enter")
    desktop.evaluate("document.getElementById('max_tokens').value = 40")
    desktop.keyboard.type("Write a numbered list of 9 animals.")
    desktop.keyboard.press("Enter")
    desktop.wait_for_selector(DONE + " .answer .figures")
    assert desktop.evaluate("document.activeElement.id") == "prompt"
    # Through the answer's tokens with the arrows, which are said aloud.
    desktop.focus(".answer > .text")
    desktop.keyboard.press("ArrowRight")
    desktop.keyboard.press("ArrowRight")
    desktop.wait_for_selector("#token-card:popover-open")
    until(desktop, "/draft model|target/.test(document.getElementById('status').textContent)")
    desktop.keyboard.press("Escape")
    # Single keys, while no field has the focus.
    desktop.keyboard.press("v")
    assert desktop.is_checked('input[name="view"][value="tokens"]')
    desktop.keyboard.press("r")
    desktop.wait_for_selector(DONE + " .switcher")
    desktop.evaluate("document.activeElement.blur()")
    desktop.keyboard.press("e")
    assert desktop.evaluate("document.activeElement.tagName") == "TEXTAREA"
    desktop.keyboard.press("Escape")
    desktop.evaluate("document.activeElement.blur()")
    desktop.keyboard.press("?")
    assert desktop.is_visible("#help")
    desktop.uncheck("#single-keys")
    desktop.keyboard.press("Escape")
    desktop.evaluate("document.activeElement.blur()")
    desktop.keyboard.press("n")
    assert not desktop.is_visible("#welcome")
    desktop.focus("#conversations li .button")
    desktop.keyboard.press("Enter")
    desktop.keyboard.press("ArrowUp")
    assert desktop.evaluate("document.activeElement.textContent") == "Delete"
    desktop.keyboard.press("Escape")
    assert desktop.evaluate("document.activeElement.title").startswith("More for")


@pytest.mark.parametrize(("name", "kind", "data", "words"), [
    ("photo.png", "image/png", [137, 80, 78, 71], "reads text only"), ("data.bin", "application/octet-stream", [255, 254, 0, 200], "not text"),
    ("notes.txt", "text/plain", [104, 105, 10, 96, 96, 96], None)])
def test_files_become_text_or_are_refused_in_words(desktop, name, kind, data, words):
    desktop.evaluate("""([name, kind, data]) => {
      const transfer = new DataTransfer();
      transfer.items.add(new File([new Uint8Array(data)], name, { type: kind }));
      document.body.dispatchEvent(new DragEvent("drop", { bubbles: true, cancelable: true, dataTransfer: transfer }));
    }""", [name, kind, data])
    if words is None:
        until(desktop, "document.getElementById('prompt').value", "notes.txt:\n````\nhi\n```\n````\n")
    else:
        desktop.wait_for_selector(f'#toast p:has-text("{words}")')
        assert desktop.input_value("#prompt") == ""


def test_the_page_s_parts_are_files_of_its_own(server):
    with server.http() as http:
        page = http.get("/")
        policy = page.headers["content-security-policy"]
        assert "unsafe" not in policy and "script-src 'self'" in policy and "require-trusted-types-for 'script'" in policy
        assert not re.search(r"<style|<script(?![^>]* src=)| style=| on\w+=", page.text)
        for path in re.findall(r'(?:src|href)="(/page/[^"]+)"', page.text):
            part = http.get(path)
            assert part.status_code == 200 and part.headers["x-content-type-options"] == "nosniff" and len(part.text) > 500
        assert http.get("/page/nothing.js").status_code == 404 and http.get("/page/..%2Fopenapi.yaml").status_code == 404
