"""What somebody who has just installed it meets: where to begin, mistakes, shells and manual pages."""

import json
import math
import os
import pathlib
import re
import shutil
import struct
import subprocess

import pytest
from conftest import DRAFT, PROGRAM, ROOT, TARGET
from test_commands import run
from test_models import cached


def test_alone_it_says_where_to_begin():
    result = run()
    assert result.returncode == 0 and not result.stderr
    for command in ("doctor", "pull Qwen/Qwen3-0.6B", "chat Qwen/Qwen3-0.6B", "serve"):
        assert f"foretoken {command}" in result.stdout
    listed = set(re.findall(r"[a-z]+", result.stdout.split("All commands:")[1].split("'foretoken")[0]))
    dump = json.loads(run("--experimental-dump-help").stdout)["command"]["subcommands"]
    assert {one["commandName"] for one in dump} - {"help"} <= listed


@pytest.mark.parametrize("words, meant", [
    (["serv"], "foretoken serve"), (["chta", "-m", "x"], "foretoken chat"), (["bench", "forwrd"], "foretoken bench forward"),
    (["help", "modles"], "foretoken models"), (["Qwen/Qwen3-0.6B"], "foretoken chat Qwen/Qwen3-0.6B"),
    (["generate", "-m", "Models/foretoken-reference-targe", "Hi"], "Models/foretoken-reference-target"),
    (["inspect", "Models/foretoken-refrence-draft"], "Models/foretoken-reference-draft"),
])
def test_a_misspelt_name_is_answered_with_the_one_that_was_meant(words, meant):
    result = run(*words, cwd=ROOT)
    assert result.returncode in (1, 64) and not result.stdout and f"'{meant}'" in result.stderr


@pytest.mark.parametrize("words, code, hint", [
    (["generate", "Hi"], 64, "foretoken models"), (["chat"], 64, "foretoken pull ORG/NAME"), (["serve"], 64, "foretoken models"),
    (["inspect"], 64, "foretoken models"), (["generate", "-m", "org/none", "Hi"], 1, "foretoken pull org/none"),
    (["generate", "-m", "none", "Hi"], 1, "foretoken models"), (["pull", "none"], 1, "ORG/NAME"),
])
def test_errors_name_the_next_command(words, code, hint, tmp_path):
    result = run(*words, env={**os.environ, "HF_HOME": str(tmp_path)})
    assert result.returncode == code and hint in result.stderr


def test_an_unsupported_model_leads_to_inspect(tmp_path):
    shutil.copytree(TARGET, tmp_path / "other")
    config = json.loads((tmp_path / "other/config.json").read_text())
    (tmp_path / "other/config.json").write_text(json.dumps({**config, "architectures": ["MambaForCausalLM"]}))
    result = run("generate", "-m", str(tmp_path / "other"), "Hi")
    assert result.returncode == 1 and "MambaForCausalLM" in result.stderr
    assert f"foretoken inspect {tmp_path}/other'" in result.stderr


def test_too_little_memory_leads_to_the_quantization_that_fits(tmp_path):
    """A model of 3.2 GB, which are holes in a file: it is refused before anything of it is read."""
    config = json.loads(pathlib.Path(TARGET, "config.json").read_text())
    hidden, wide, layers, heads = 2048, 8192, 24, 16
    config |= {
        "hidden_size": hidden, "intermediate_size": wide, "num_hidden_layers": layers, "num_attention_heads": heads,
        "num_key_value_heads": heads, "head_dim": 128, "tie_word_embeddings": True}
    shapes = {"model.embed_tokens.weight": [config["vocab_size"], hidden], "model.norm.weight": [hidden]}
    for layer in range(layers):
        parts = {f"self_attn.{name}_proj.weight": [hidden, hidden] for name in "qkvo"}
        parts |= {"self_attn.q_norm.weight": [128], "self_attn.k_norm.weight": [128], "mlp.down_proj.weight": [hidden, wide]}
        parts |= {f"mlp.{name}_proj.weight": [wide, hidden] for name in ("gate", "up")}
        parts |= {f"{name}_layernorm.weight": [hidden] for name in ("input", "post_attention")}
        shapes |= {f"model.layers.{layer}.{name}": shape for name, shape in parts.items()}
    header, place = {}, 0
    for name, shape in shapes.items():
        size = 2 * math.prod(shape)
        header[name] = {"dtype": "BF16", "shape": shape, "data_offsets": [place, place + size]}
        place += size
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    shutil.copytree(TARGET, tmp_path / "large")
    (tmp_path / "large/config.json").write_text(json.dumps(config))
    with open(tmp_path / "large/model.safetensors", "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text)
        file.truncate(8 + len(text) + place)

    def start(gigabytes):
        line = f"ulimit -v {int(gigabytes * 1e6)}; exec {PROGRAM} generate -m {tmp_path}/large --max-model-len 512 --max-tokens 1 Hi"
        return subprocess.run(["bash", "-c", line], capture_output=True, text=True, timeout=120)

    # The file is mapped: it counts beside the weights, and so does a gigabyte for the program.
    for gigabytes, advice in [(7, "--quantization int8, which fits"), (6, "--quantization int4, which fits"), (4, "take a smaller model")]:
        result = start(gigabytes)
        assert result.returncode == 1 and advice in result.stderr, result.stderr


def commands(command, path=()):
    """Every command with its path."""
    path = (*path, command["commandName"])
    yield path, command
    for one in command.get("subcommands", []):
        if one["commandName"] != "help":
            yield from commands(one, path)


@pytest.fixture(scope="module")
def all_commands():
    return list(commands(json.loads(run("--experimental-dump-help").stdout)["command"]))


def test_every_command_explains_itself(all_commands):
    for path, command in all_commands:
        name = " ".join(path)
        assert command.get("abstract"), name
        # The demonstration is made to be run as it is.
        if not command.get("subcommands") and command["commandName"] != "demo":
            assert f"foretoken {' '.join(path[1:])}" in command.get("discussion", ""), f"{name} has no example"
        for argument in command.get("arguments", []):
            assert not argument["shouldDisplay"] or argument.get("abstract"), f"{name}: {argument}"


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_scripts_are_scripts(shell, tmp_path):
    script = tmp_path / shell
    script.write_text(run("--generate-completion-script", shell).stdout)
    if not shutil.which(shell):
        pytest.skip(f"{shell} is not installed")
    assert subprocess.run([shell, "-n", str(script)], capture_output=True, text=True).stderr == ""


def test_bash_completes_commands_values_and_models(tmp_path):
    cached(tmp_path, "org/draft", DRAFT)
    script = run("--generate-completion-script", "bash").stdout

    def complete(*words):
        line = " ".join(words)
        program = f"""
{script}
PATH={pathlib.Path(PROGRAM).parent}:$PATH
COMP_WORDS=({' '.join(repr(word) for word in words)}); COMP_CWORD={len(words) - 1}; COMP_LINE={line!r}; COMP_POINT={len(line)}
_foretoken {words[0]!r} {words[-1]!r} {words[-2]!r}
printf '%s\\n' "${{COMPREPLY[@]}}\""""
        result = subprocess.run(
            ["bash", "-c", program], capture_output=True, text=True, env={**os.environ, "HF_HOME": str(tmp_path)}, cwd=tmp_path)
        return set(result.stdout.split())

    assert {"models", "doctor", "chat"} <= complete("foretoken", "")
    assert {"--quantization", "--draft-model"} <= complete("foretoken", "generate", "--")
    assert {"int4", "int8"} <= complete("foretoken", "generate", "--quantization", "")
    assert "org/draft" in complete("foretoken", "chat", "org")


def test_make_install_puts_program_completions_and_manual_in_place(tmp_path):
    environment = {**os.environ, "PREFIX": "/opt/it", "DESTDIR": str(tmp_path)}
    made = subprocess.run(["make", "install"], cwd=ROOT, env=environment, capture_output=True, text=True)
    assert made.returncode == 0, made.stderr
    top = tmp_path / "opt/it"
    assert subprocess.run([top / "bin/foretoken", "--version"], capture_output=True, text=True).stdout.strip()
    for file in ("bash-completion/completions/foretoken", "zsh/site-functions/_foretoken", "fish/vendor_completions.d/foretoken.fish"):
        assert (top / "share" / file).read_text()
    pages = sorted((top / "share/man/man1").iterdir())
    names = {page.name for page in pages}
    assert {"foretoken.1", "foretoken-pull.1", "foretoken-bench-serve.1", "foretoken-chat.1"} <= names
    if shutil.which("mandoc"):
        lint = subprocess.run(["mandoc", "-Tlint", "-Wwarning", *pages], capture_output=True, text=True)
        assert not lint.stdout, lint.stdout
        text = subprocess.run(["mandoc", "-Tutf8", top / "share/man/man1/foretoken.1"], capture_output=True, text=True).stdout
        assert "HF_HOME" in re.sub(".\x08", "", text) and "EXIT STATUS" in re.sub(".\x08", "", text)
    subprocess.run(["make", "uninstall"], cwd=ROOT, env=environment, check=True, capture_output=True)
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]
