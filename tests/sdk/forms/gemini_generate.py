"""Gemini's answers."""

import json

from forms.conversation import (
    Call,
    Conversation,
    Image,
    Result,
    Text,
    Tool,
    leave,
    listed,
    named,
    take,
)

SETTINGS = {
    "maxOutputTokens": "max_tokens",
    "temperature": "temperature",
    "topP": "top_p",
    "stopSequences": "stop",
}
MODES = {"ANY": "any", "AUTO": "auto", "NONE": "none"}


def read(body, left_out):
    """What a request says."""
    system = body.pop("systemInstruction", None) or {}
    turns = []
    for content in body.pop("contents"):
        parts = [part(one, left_out) for one in content["parts"]]
        role = "assistant" if content.get("role") == "model" else "user"
        turns.append((role, [one for one in parts if one]))
    calling = (body.pop("toolConfig", None) or {}).get("functionCallingConfig") or {}
    body |= body.pop("generationConfig", None) or {}
    conversation = Conversation(
        system="\n".join(one["text"] for one in system.get("parts") or []),
        turns=[(role, parts) for role, parts in turns if parts],
        tools=tools(body.pop("tools", None) or [], left_out),
        choice=MODES.get(calling.get("mode")),
        settings=take(body, SETTINGS),
    )
    leave(body, left_out)
    return conversation


def part(told, left_out):
    """A part of a content, where others have such. Calls have names and no ids, mostly."""
    match told:
        case {"text": text}:
            return Text(text)
        case {"inlineData": {"mimeType": kind, "data": data}} if kind.startswith("image/"):
            return Image(kind, data.replace("-", "+").replace("_", "/"))
        case {"functionCall": {"name": name} as call}:
            return Call(call.get("id") or f"call_{name}", name, call.get("args") or {})
        case {"functionResponse": {"name": name, "response": response} as result}:
            return Result(result.get("id") or f"call_{name}", name, json.dumps(response))
    left_out.update(told)
    return None


def tools(told, left_out):
    """The functions; other tools are the provider's own."""
    left_out.update(
        f"tools.{name}" for one in told for name in one if name != "functionDeclarations"
    )
    return [function(one) for tool in told for one in tool.get("functionDeclarations") or []]


def function(told):
    """A function, with a schema in either of the ways it can be written."""
    schema = told.get("parametersJsonSchema") or told.get("parameters")
    empty = {"type": "object", "properties": {}}
    return Tool(told["name"], told.get("description") or "", plain(schema) or empty)


def plain(schema):
    """A schema with its types as JSON Schema writes them."""
    if isinstance(schema, list):
        return [plain(one) for one in schema]
    if not isinstance(schema, dict):
        return schema
    kind = schema.get("type")
    typed = {"type": kind.lower()} if isinstance(kind, str) else {}
    return {name: plain(value) for name, value in schema.items()} | typed


def write(told):
    """The body of a request."""
    config = named(told.settings, SETTINGS)
    if "stopSequences" in config:
        config["stopSequences"] = listed(config["stopSequences"])
    if told.schema:
        config |= {"responseMimeType": "application/json", "responseJsonSchema": told.schema[1]}
    contents = [
        {
            "role": "model" if role == "assistant" else "user",
            "parts": [written(one) for one in parts],
        }
        for role, parts in told.turns
    ]
    body = {"contents": contents, "generationConfig": config}
    if told.system:
        body["systemInstruction"] = {"parts": [{"text": told.system}]}
    if told.tools:
        names = ("name", "description", "parametersJsonSchema")
        functions = [dict(zip(names, tool, strict=True)) for tool in told.tools]
        body["tools"] = [{"functionDeclarations": functions}]
    if told.tools and told.choice:
        mode = {ours: theirs for theirs, ours in MODES.items()}.get(told.choice)
        by_name = {"mode": "ANY", "allowedFunctionNames": [told.choice]}
        body["toolConfig"] = {"functionCallingConfig": {"mode": mode} if mode else by_name}
    return body


def written(part):
    """A part."""
    match part:
        case Text(text):
            return {"text": text}
        case Image(kind, data):
            return {"inlineData": {"mimeType": kind, "data": data}}
        case Call(id, name, given):
            return {"functionCall": {"id": id, "name": name, "args": given}}
        case Result(id, name, text):
            return {"functionResponse": {"id": id, "name": name, "response": {"result": text}}}
