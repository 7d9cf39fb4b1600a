"""Chat completions."""

import json

from forms.conversation import (
    Call,
    Conversation,
    Image,
    Result,
    Text,
    Tool,
    call_names,
    leave,
    take,
)
from recorded import arguments

SETTINGS = {
    "max_tokens": "max_tokens",
    "max_completion_tokens": "max_tokens",
    "temperature": "temperature",
    "top_p": "top_p",
    "stop": "stop",
}
CHOICES = {"any": "required", "auto": "auto", "none": "none"}


def read(body, left_out):
    """What a request says."""
    system, turns = [], []
    for message in body.pop("messages"):
        parts = content(message.get("content"), left_out)
        parts += [call(one) for one in message.get("tool_calls") or []]
        role = message["role"]
        if role in ("system", "developer"):
            system += [part.text for part in parts]
        elif role == "tool":
            id, text = message["tool_call_id"], "".join(part.text for part in parts)
            name = call_names(turns).get(id, "tool")
            turns.append(("user", [Result(id, name, text)]))
        elif parts:
            turns.append((role, parts))
    conversation = Conversation(
        system="\n".join(system),
        turns=turns,
        tools=tools(body.pop("tools", None) or [], left_out),
        choice=choice(body.pop("tool_choice", None)),
        settings=take(body, SETTINGS),
        schema=schema(body),
    )
    leave(body, left_out)
    return conversation


def content(told, left_out):
    """The parts of a message."""
    if isinstance(told, str):
        return [Text(told)]
    parts = []
    for part in told or []:
        match part:
            case {"type": "text", "text": text}:
                parts.append(Text(text))
            case {"type": "image_url", "image_url": {"url": url}} if url.startswith("data:"):
                media_type, _, data = url.removeprefix("data:").partition(";base64,")
                parts.append(Image(media_type, data))
            case _:
                left_out.add(part["type"])
    return parts


def call(told):
    """A call of a tool."""
    function = told["function"]
    return Call(told["id"], function["name"], arguments(function["arguments"]))


def tools(told, left_out):
    """The functions; other tools are the provider's own."""
    left_out.update(f"tools.{tool['type']}" for tool in told if tool["type"] != "function")
    functions = [tool["function"] for tool in told if tool["type"] == "function"]
    empty = {"type": "object", "properties": {}}
    return [
        Tool(one["name"], one.get("description") or "", one.get("parameters") or empty)
        for one in functions
    ]


def choice(told):
    """Which tools are to be called."""
    if isinstance(told, dict):
        return told["function"]["name"]
    return "any" if told == "required" else told


def schema(body):
    """The schema of the answer; other formats stay in the body."""
    match body.get("response_format"):
        case {"type": "json_schema", "json_schema": {"name": name, "schema": wanted}}:
            del body["response_format"]
            return name, wanted
    return None


def write(told):
    """The body of a request."""
    body = {"messages": messages(told)} | told.settings
    if told.tools:
        body["tools"] = [{"type": "function", "function": tool._asdict()} for tool in told.tools]
    if told.tools and told.choice:
        by_name = {"type": "function", "function": {"name": told.choice}}
        body["tool_choice"] = CHOICES.get(told.choice, by_name)
    if told.schema:
        name, wanted = told.schema
        format = {"type": "json_schema", "json_schema": {"name": name, "schema": wanted}}
        body["response_format"] = format
    return body


def messages(told):
    """The messages: results of tools are messages of their own."""
    found = [{"role": "system", "content": told.system}] if told.system else []
    for role, parts in told.turns:
        said, calls = [], []
        for part in parts:
            match part:
                case Text(text):
                    said.append({"type": "text", "text": text})
                case Image(media_type, data):
                    url = f"data:{media_type};base64,{data}"
                    said.append({"type": "image_url", "image_url": {"url": url}})
                case Call(id, name, given):
                    function = {"name": name, "arguments": json.dumps(given)}
                    calls.append({"id": id, "type": "function", "function": function})
                case Result(id, _, text):
                    found.append({"role": "tool", "tool_call_id": id, "content": text})
        if said or calls:
            message = {"role": role, "content": said or None}
            found.append(message | ({"tool_calls": calls} if calls else {}))
    return found
