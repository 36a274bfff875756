"""`foretoken chat` on a terminal, beyond the line editor."""

import json
import re

import httpx2 as httpx
from conftest import DRAFT, TARGET
from test_commands import Terminal, run, terminal  # noqa: F401


def test_a_line_that_ends_in_a_backslash_goes_on(terminal):
    chat = terminal()
    chat.type("one\\\r")
    chat.read("… ")
    chat.type("two\r")
    assert chat.read(r"two[\s\S]*\n> ").count("\n> ") == 1
    assert chat.end() == 0


def test_what_stands_between_quotes_is_one_message(terminal, tmp_path):
    chat = terminal()
    chat.type('"""one\r')
    chat.read("… ")
    chat.type("/exit\r")
    chat.read("… ")
    chat.type('two"""\r')
    chat.read(r"two[\s\S]*\n> ")
    chat.type(f"/save {tmp_path}/c.json\r")
    chat.read("messages written")
    assert json.loads((tmp_path / "c.json").read_text())["messages"][0] == {"role": "user", "content": "one\n/exit\ntwo"}
    assert chat.end() == 0


def test_ctrl_c_drops_lines_that_go_on(terminal):
    chat = terminal()
    chat.type("one\\\r")
    chat.read("… ")
    chat.type("\x03")
    assert "… " not in chat.read("\n> ")
    assert chat.end() == 0


def test_ctrl_c_stops_the_answer_and_not_the_program(tmp_path):
    chat = Terminal(home=str(tmp_path), more=["--max-tokens", "4000", "--ignore-eos", "--quantization", "none"])
    chat.read("> ")
    chat.type("Count to a thousand.\r")
    chat.read(r"thousand\.[\s\S]{40,}", settles=False)
    chat.type("\x03")
    assert "[stopped]" in chat.read(r"\n> ")
    chat.type("/stats\r")
    chat.read("> ")
    assert chat.end() == 0


def test_conversations_are_saved_loaded_and_answered_anew(terminal, tmp_path, server):
    chat = terminal()
    chat.type("/system Be brief.\r")
    chat.read(r"System message set[\s\S]*\n> ")
    chat.type("Hello\r")
    chat.read(r"Hello[\s\S]*\n> ")
    chat.type(f"/save {tmp_path}/c.json\r")
    assert "2 messages written" in chat.read("> ")
    saved = json.loads((tmp_path / "c.json").read_text())
    assert [message["role"] for message in saved["messages"]] == ["system", "user", "assistant"]
    # It is the body of a request, and greedy answers are the same wherever they are made.
    body = {"messages": saved["messages"][:2], "max_tokens": 4, "temperature": 0}
    answer = httpx.post(server.url + "/v1/chat/completions", json=body, timeout=60).json()
    assert answer["choices"][0]["message"]["content"] == saved["messages"][2]["content"]
    chat.type("/clear\r")
    chat.read("Forgotten[\\s\\S]*> ")
    chat.type(f"/load {tmp_path}/c.json\r")
    assert "2 messages" in chat.read("> ")
    chat.type("/system\r")
    assert "Be brief." in chat.read("\n> ")
    chat.type("/regenerate\r")
    assert "temperature 0" in chat.read("\n> ")
    chat.type(f"/save {tmp_path}/d.json\r")
    chat.read("written")
    assert json.loads((tmp_path / "d.json").read_text()) == saved
    assert chat.end() == 0


def test_files_that_are_no_conversations_are_left_alone(terminal, tmp_path):
    (tmp_path / "notes.txt").write_text("mine")
    (tmp_path / "bad.json").write_text('{"messages": [{"role": "king", "content": "x"}]}')
    (tmp_path / "long.json").write_text(json.dumps([{"role": "user", "content": "word " * 20000}]))
    chat = terminal()
    for typed, said in [
        (f"/save {tmp_path}/notes.txt", "no conversation"), (f"/load {tmp_path}/notes.txt", "not JSON"),
        (f"/load {tmp_path}/bad.json", "'king'"), (f"/load {tmp_path}/long.json", "--max-model-len"),
        (f"/load {tmp_path}/none.json", "Cannot read"), (f"/save {tmp_path}/no/such/folder.json", "Cannot write"),
        ("/load", "name of a file"), ("/regenerate", "no message"), ("/stats", "no answer"), ("/regenrate", "/regenerate"),
    ]:
        chat.type(typed + "\r")
        assert said in chat.read(re.escape(said)), typed
    assert (tmp_path / "notes.txt").read_text() == "mine"
    assert chat.end() == 0


def test_speculation_is_switched_and_changes_no_answer(tmp_path):
    chat = Terminal(home=str(tmp_path), more=["--draft-model", DRAFT])
    assert "speculation: auto" in chat.read("\n> |^> ")
    answers = []
    for choice in ("off", "draft_model", "ngram", "auto", "on"):
        chat.type(f"/speculation {choice}\r")
        chat.read("Speculation: ")
        chat.type("/clear\r")
        chat.read("Forgotten")
        chat.type("List the planets.\r")
        chat.read(r"planets\.[\s\S]*\n> ")
        chat.type(f"/save {tmp_path}/{choice}.json\r")
        chat.read("written")
        answers.append((tmp_path / f"{choice}.json").read_text())
    assert len(set(answers)) == 1
    chat.type("/speculation eagle3\r")
    assert "expected off, on, auto" in chat.read("expected[^\n]*")
    assert chat.end() == 0


def test_chat_takes_a_conversation_from_a_pipe():
    result = run("chat", TARGET, "--max-tokens", "4", input='"""one\ntwo"""\n/stats\n/nonsense\n/exit\nnever\n')
    assert result.returncode == 0 and result.stdout.strip()
    assert "tokens/s" in result.stderr and "/nonsense" in result.stderr and "never" not in result.stdout
