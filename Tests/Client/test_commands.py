"""The commands beside the server, as people and scripts call them."""

import json
import os
import pty
import re
import select
import signal
import subprocess
import time

import pytest
from conftest import DRAFT, PROGRAM, TARGET


def run(*arguments, **more):
    return subprocess.run([PROGRAM, *arguments], capture_output=True, text=True, timeout=120, **more)


@pytest.mark.parametrize("config", [
    {"method": "ngram", "num_speculative_tokens": 1}, {"method": "draft_model", "model": DRAFT, "num_speculative_tokens": 1},
    {"method": "ngram", "num_speculative_tokens": 3, "prompt_lookup_min": 1, "prompt_lookup_max": 3},
    {"method": "suffix", "suffix_decoding_max_cached_requests": 0}, {"method": "suffix", "suffix_decoding_max_spec_factor": 1.0},
])
def test_0_and_1_are_numbers(config):
    result = run("generate", "-m", TARGET, "--speculative-config", json.dumps(config), "--max-tokens", "3", "Hi")
    assert result.returncode == 0, result.stderr


def test_a_result_goes_where_it_is_told_to(server, tmp_path):
    place = tmp_path / "deep" / "x.json"
    bench = ["bench", "serve", "--base-url", server.url, "--num-prompts", "8", "--output-len", "4", "--save-result", "--no-progress"]
    result = run(*bench, "--result-filename", str(place))
    assert result.returncode == 0 and json.loads(place.read_text())["completed"] == 8
    named = run(*bench, "--result-dir", str(tmp_path), "--result-filename", "y.json")
    assert named.returncode == 0 and (tmp_path / "y.json").exists()


def test_a_place_that_cannot_be_written_is_said_before_anything_is_measured(tmp_path):
    (tmp_path / "file").write_text("")
    for place in (tmp_path / "file" / "x.json", tmp_path):
        for command in (["bench", "serve", "--base-url", "http://127.0.0.1:1", "--result-filename", str(place)],
                        ["tune", "-m", TARGET, "--ngram", "--output", str(place)]):
            result = run(*command)
            assert result.returncode != 0 and f"Cannot write '{place}" in result.stderr


def test_an_index_that_remembers_answers_is_named(start):
    server = start("--threads", "2", "--speculative-config", '{"method": "suffix"}', speculation=False)
    result = run("bench", "serve", "--base-url", server.url, "--num-prompts", "8", "--output-len", "4", "--no-progress")
    assert result.returncode == 0 and "past answers" in result.stderr
    forgetful = start("--threads", "2", "--speculative-config", '{"method": "suffix", "suffix_decoding_max_cached_requests": 0}', speculation=False)
    result = run("bench", "serve", "--base-url", forgetful.url, "--num-prompts", "8", "--output-len", "4", "--no-progress")
    assert result.returncode == 0 and "past answers" not in result.stderr


def test_pull_says_what_it_tries_and_heeds_hf_hub_offline(tmp_path):
    environment = {**os.environ, "HF_HOME": str(tmp_path), "HF_ENDPOINT": "http://127.0.0.1:1"}
    offline = run("pull", "org/tiny", env={**environment, "HF_HUB_OFFLINE": "1"})
    assert offline.returncode != 0 and "HF_HUB_OFFLINE" in offline.stderr
    trying = subprocess.Popen([PROGRAM, "pull", "org/tiny"], stderr=subprocess.PIPE, text=True, env=environment)
    try:
        first, second = trying.stderr.readline(), trying.stderr.readline()
        assert "org/tiny" in first and "http://127.0.0.1:1" in first and "next try in" in second
    finally:
        trying.kill()
        trying.communicate()


def test_a_flag_that_there_is_not_is_named():
    for command in (["serve", TARGET, "--no-such-flag", "1"], ["generate", "-m", TARGET, "--no-such-flag", "Hi"]):
        result = run(*command)
        assert result.returncode != 0 and "--no-such-flag" in result.stderr


class Terminal:
    """`foretoken chat` on a terminal of its own."""

    def __init__(self, term="xterm-256color", locale="C.UTF-8", home="/tmp", more=()):
        self.process, self.file = pty.fork()
        if self.process == 0:
            environment = {**os.environ, "LANG": locale, "LC_ALL": locale, "TERM": term, "XDG_STATE_HOME": home}
            os.execve(PROGRAM, [PROGRAM, "chat", "-m", TARGET, "--max-tokens", "4", *more], environment)
        self.output = ""

    def type(self, text):
        os.write(self.file, text.encode())

    def read(self, pattern, seconds=20, settles=True):
        """What has come once a pattern has, and once nothing more comes for a moment: what is typed sooner is echoed twice."""
        end, output = time.monotonic() + seconds, b""
        while time.monotonic() < end:
            is_there = re.search(pattern, output.decode(errors="replace"))
            if is_there and not settles:
                break
            if select.select([self.file], [], [], 0.3 if is_there else 0.1)[0]:
                try:
                    output += os.read(self.file, 65536)
                except OSError:
                    break
            elif is_there:
                break
        return output.decode(errors="replace")

    def end(self, key="\x04", seconds=20):
        """The exit status after a key that ends the conversation; between two lines the terminal may swallow it."""
        limit = time.monotonic() + seconds
        while (found := os.waitpid(self.process, os.WNOHANG))[0] == 0:
            if time.monotonic() > limit:
                os.kill(self.process, signal.SIGKILL)
            try:
                self.type(key)
            except OSError:
                pass
            time.sleep(0.5)
        os.close(self.file)
        return os.waitstatus_to_exitcode(found[1])


@pytest.fixture
def terminal(tmp_path):
    def begin(**more):
        terminal = Terminal(home=str(tmp_path), **more)
        assert "> " in terminal.read("> ")
        return terminal

    return begin


@pytest.mark.parametrize("locale", ["C.UTF-8", "C"])
def test_chat_takes_letters_beyond_ascii(terminal, locale, tmp_path):
    chat = terminal(locale=locale)
    chat.type("aéb 日本語\r")
    chat.read(r"\n> ")
    assert chat.end() == 0
    history = (tmp_path / "foretoken" / "chat_history").read_text()
    assert "aéb" in history.replace("\\040", " ") or "a\\303\\251b" in history


def test_chat_takes_pasted_lines_as_one_message(terminal):
    chat = terminal()
    chat.type("one\rtwo\rthree\r")
    output = chat.read(r"three[\s\S]*\n> ")
    # One answer, so one prompt after it.
    assert output.count("\n> ") == 1
    assert chat.end() == 0


def test_chat_helps_and_names_what_there_is_not(terminal):
    chat = terminal()
    chat.type("/help\r")
    assert "/clear" in chat.read("/exit[\\s\\S]*> ")
    chat.type("/nothing\r")
    assert "no command /nothing" in chat.read("lists those")
    assert chat.end() == 0


def test_ctrl_c_drops_the_line_and_twice_on_an_empty_one_leaves(terminal):
    chat = terminal()
    chat.type("half a line\x03")
    chat.read("> ")
    chat.type("\x03")
    assert "/exit" in chat.read("/help[^>]*> ")
    assert chat.end("\x03") == 0


def test_a_dumb_terminal_gets_plain_lines(terminal):
    chat = terminal(term="dumb")
    chat.type("Hi\n")
    assert "\x1b" not in chat.read(r"\n[^\n]*\n> ")
    assert chat.end() == 0
