"""Anthropic's messages."""

from forms.conversation import (
    Call,
    Conversation,
    Image,
    Result,
    Text,
    Tool,
    call_names,
    leave,
    listed,
    named,
    take,
)

SETTINGS = {
    "max_tokens": "max_tokens",
    "temperature": "temperature",
    "top_p": "top_p",
    "stop_sequences": "stop",
}
# The form wants a bound; more than any recorded answer has.
MAX_TOKENS = 4096


def read(body, left_out):
    """What a request says."""
    turns = []
    for message in body.pop("messages"):
        blocks = message["content"]
        if isinstance(blocks, str):
            blocks = [{"type": "text", "text": blocks}]
        parts = [block(one, turns, left_out) for one in blocks]
        turns.append((message["role"], [part for part in parts if part]))
    conversation = Conversation(
        system=system(body.pop("system", None) or ""),
        turns=[(role, parts) for role, parts in turns if parts],
        tools=tools(body.pop("tools", None) or [], left_out),
        choice=choice(body.pop("tool_choice", None) or {}),
        settings=take(body, SETTINGS),
    )
    leave(body, left_out)
    return conversation


def system(told):
    """What the model is told first, also in blocks."""
    return told if isinstance(told, str) else "\n".join(block["text"] for block in told)


def block(told, turns, left_out):
    """A part of a message, where others have such."""
    match told:
        case {"type": "text", "text": text}:
            return Text(text)
        case {"type": "image", "source": {"type": "base64", "media_type": kind, "data": data}}:
            return Image(kind, data)
        case {"type": "tool_use", "id": id, "name": name, "input": given}:
            return Call(id, name, given)
        case {"type": "tool_result", "tool_use_id": id}:
            return Result(id, call_names(turns).get(id, "tool"), result(told.get("content") or ""))
    left_out.add(told["type"])
    return None


def result(told):
    """What came of a call, as a text."""
    return told if isinstance(told, str) else "".join(block.get("text", "") for block in told)


def tools(told, left_out):
    """The tools with a schema; others are the provider's own."""
    left_out.update(f"tools.{tool['type']}" for tool in told if "input_schema" not in tool)
    return [
        Tool(tool["name"], tool.get("description") or "", tool["input_schema"])
        for tool in told
        if "input_schema" in tool
    ]


def choice(told):
    """Which tools are to be called."""
    return told.get("name") or told.get("type")


def write(told):
    """The body of a request."""
    body = {"max_tokens": MAX_TOKENS} | named(told.settings, SETTINGS)
    body["messages"] = [
        {"role": role, "content": [written(part) for part in parts]} for role, parts in told.turns
    ]
    if "stop_sequences" in body:
        body["stop_sequences"] = listed(body["stop_sequences"])
    if told.system:
        body["system"] = told.system
    if told.tools:
        names = ("name", "description", "input_schema")
        body["tools"] = [dict(zip(names, tool, strict=True)) for tool in told.tools]
    if told.tools and told.choice:
        is_plain = told.choice in ("any", "auto", "none")
        body["tool_choice"] = (
            {"type": told.choice} if is_plain else {"type": "tool", "name": told.choice}
        )
    if told.schema:
        body["output_config"] = {"format": {"type": "json_schema", "schema": told.schema[1]}}
    return body


def written(part):
    """A part as a block."""
    match part:
        case Text(text):
            return {"type": "text", "text": text}
        case Image(kind, data):
            source = {"type": "base64", "media_type": kind, "data": data}
            return {"type": "image", "source": source}
        case Call(id, name, given):
            return {"type": "tool_use", "id": id, "name": name, "input": given}
        case Result(id, _, text):
            return {"type": "tool_result", "tool_use_id": id, "content": text}
