"""Reference values for gpt-oss's chat format, by `openai-harmony`.

The library needs the encoding o200k, which it loads from the network or from the folder that TIKTOKEN_ENCODINGS_BASE names;
without it the values stay as they are.
"""

import json
import random
from pathlib import Path

import openai_harmony as harmony

import templates

SOURCE = templates.SOURCES / "gpt-oss-like.jinja"
TOOLS = ["get_weather", "clock"]

ANSWERS = [
    "<|channel|>final<|message|>Hello<|return|>",
    "<|channel|>analysis<|message|>Hm, a greeting.<|end|><|start|>assistant<|channel|>final<|message|>Hello **you** 👋<|return|>",
    "<|channel|>analysis<|message|>One.\n\nTwo.<|end|><|start|>assistant<|channel|>analysis<|message|>Three.<|end|><|start|>assistant<|channel|>final<|message|>4\n<|return|>",
    '<|channel|>analysis<|message|>Need weather.<|end|><|start|>assistant<|channel|>commentary to=functions.get_weather <|constrain|>json<|message|>{"place": "Zürich", "days": 2}<|call|>',
    '<|channel|>analysis<|message|>Need it.<|end|><|start|>assistant to=functions.get_weather<|channel|>commentary <|constrain|>json<|message|>{"place":"<b> & \\"x\\""}<|call|>',
    ' to=functions.clock<|channel|>commentary <|constrain|>json<|message|>{}<|call|>',
    '<|channel|>commentary to=functions.clock<|message|>{"a": [1, {"b": null}]}<|call|>',
    '<|channel|>commentary to=functions.get_weather json<|message|>{"place": "A"}<|call|>',
    '<|channel|>analysis to=functions.get_weather <|constrain|>json<|message|>{"place": "A"}<|call|>',
    "<|channel|>commentary<|message|>I look it up.<|end|><|start|>assistant<|channel|>commentary to=functions.clock <|constrain|>json<|message|>{}<|call|>",
    "<|channel|>analysis<|message|>x < y, and <b>?<|end|><|start|>assistant<|channel|>final<|message|>a <|b|> c < d<|return|>",
    "<|channel|>analysis<|message|><|end|><|start|>assistant<|channel|>final<|message|><|return|>",
    '<|channel|>final <|constrain|>json<|message|>{"answer": 42}<|return|>',
]


def call(name, arguments):
    return {"id": "call_1", "type": "function", "function": {"name": name, "arguments": arguments}}


# What the library and the template must write alike.
CONVERSATIONS = [
    [{"role": "user", "content": "Hi"}],
    [{"role": "system", "content": "Be kind.\nAnd short."}, {"role": "user", "content": "Grüezi 👋"}],
    [{"role": "user", "content": "1+1?"}, {"role": "assistant", "content": "2"}, {"role": "user", "content": "And?"}],
    [{"role": "user", "content": "W?"}, {"role": "assistant", "content": "", "thinking": "I look.", "tool_calls": [call("get_weather", {"place": "Z", "days": 2})]},
     {"role": "tool", "tool_call_id": "call_1", "content": "{\"t\": 21.5}"}],
]


def parsed(encoding, text: str) -> dict:
    """What the library reads an answer as, in the terms of OpenAI's API."""
    result = {"reasoning": [], "content": [], "calls": []}
    for message in encoding.parse_messages_from_completion_tokens(encoding.encode(text, allowed_special="all"), harmony.Role.ASSISTANT):
        body = "".join(part.text for part in message.content)
        if message.recipient and message.recipient.startswith("functions."):
            result["calls"].append([message.recipient.removeprefix("functions."), body])
        elif body:
            result["reasoning" if message.channel == "analysis" else "content"].append(body)
    return {"text": text, **result, "reasoning": "\n\n".join(result["reasoning"]), "content": "\n\n".join(result["content"])}


def rendered(encoding, messages: list, tools: list, effort: str) -> str:
    """What the library writes for a conversation."""
    system = (harmony.SystemContent.new().with_reasoning_effort(harmony.ReasoningEffort(effort.capitalize()))
              .with_conversation_start_date(templates.NOW.strftime("%Y-%m-%d")))
    parts = [harmony.Message.from_role_and_content(harmony.Role.SYSTEM, system)]
    guide = messages[0]["content"] if messages[0]["role"] == "system" else None
    if guide or tools:
        developer = harmony.DeveloperContent.new()
        if guide:
            developer = developer.with_instructions(guide)
        if tools:
            developer = developer.with_function_tools([
                harmony.ToolDescription.new(tool["function"]["name"], tool["function"].get("description", ""), parameters=tool["function"]["parameters"])
                for tool in tools])
        parts.append(harmony.Message.from_role_and_content(harmony.Role.DEVELOPER, developer))
    name = None
    for message in messages[1 if guide else 0:]:
        if message["role"] == "user":
            parts.append(harmony.Message.from_role_and_content(harmony.Role.USER, message["content"]))
        elif message["role"] == "tool":
            author = harmony.Author.new(harmony.Role.TOOL, f"functions.{name}")
            parts.append(harmony.Message.from_author_and_content(author, message["content"]).with_recipient("assistant").with_channel("commentary"))
        elif "tool_calls" in message:
            function = message["tool_calls"][0]["function"]
            name = function["name"]
            if message.get("thinking"):
                parts.append(harmony.Message.from_role_and_content(harmony.Role.ASSISTANT, message["thinking"]).with_channel("analysis"))
            parts.append(harmony.Message.from_role_and_content(harmony.Role.ASSISTANT, json.dumps(function["arguments"], ensure_ascii=False))
                         .with_channel("commentary").with_recipient(f"functions.{name}").with_content_type("<|constrain|>json"))
        else:
            parts.append(harmony.Message.from_role_and_content(harmony.Role.ASSISTANT, message["content"]).with_channel("final"))
    return encoding.decode(encoding.render_conversation_for_completion(harmony.Conversation.from_messages(parts), harmony.Role.ASSISTANT))


def generate(output: Path) -> None:
    """Writes harmony/answers.json under `output`, and holds the template of the tests against the library."""
    try:
        encoding = harmony.load_harmony_encoding(harmony.HarmonyEncodingName.HARMONY_GPT_OSS)
    except harmony.HarmonyError as error:
        print(f"harmony: left as it is: {error}")
        return
    templates.chat_template_utils.datetime = templates.Clock
    source = SOURCE.read_text(encoding="utf-8")
    described = [tool for tool in [templates.WEATHER] if tool["function"].get("description")]
    for messages in CONVERSATIONS:
        for tools in [None, described]:
            for effort in ["low", "high"]:
                variables = {"messages": messages, "tools": tools, "add_generation_prompt": True, "reasoning_effort": effort}
                ours, theirs = templates.render(source, variables), rendered(encoding, messages, tools, effort)
                assert ours == theirs, f"{messages}\n{ours}\n{theirs}"
    draw = random.Random(11)
    words = ["so", "Zürich", "\n", "  ", "{}", "<", "|>", "<|", "👋🏽", "é", "to=functions.clock", "analysis", "final", "\"q\""]
    answers = list(ANSWERS)
    for _ in range(60):
        text = lambda: " ".join(draw.choice(words) for _ in range(draw.randint(0, 9)))
        parts = [f"<|channel|>{draw.choice(['analysis', 'analysis', 'commentary'])}<|message|>{text()}<|end|><|start|>assistant" for _ in range(draw.randrange(3))]
        if draw.random() < 0.5:
            last = f"<|channel|>final<|message|>{text()}<|return|>"
        else:
            last = f"<|channel|>commentary to=functions.{draw.choice(TOOLS)} <|constrain|>json<|message|>{json.dumps({'q': text()})}<|call|>"
        answers.append("".join(parts) + last)
    folder = output / "harmony"
    folder.mkdir(parents=True, exist_ok=True)
    templates.write(folder / "answers.json", [parsed(encoding, text) for text in answers])


if __name__ == "__main__":
    generate(Path(__file__).resolve().parent)
