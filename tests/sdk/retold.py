"""A recorded conversation told in another form. What cannot be told there is left out, by name."""

import json
from typing import NamedTuple

from recorded import arguments, form_of


class Conversation(NamedTuple):
    """A conversation as the forms have it in common."""

    system: str
    # Role (`user`, `assistant`) and parts: `("text", text)`, `("image", media type, base64)`,
    # `("call", id, name, arguments)`, `("result", id, name, text)`.
    turns: list
    # Name, description and parameters.
    tools: list
    # `auto`, `any`, `none`, or the name of a tool.
    choice: str | None
    # Named as OpenAI does: `max_tokens`, `temperature`, `top_p`, `stop`.
    settings: dict
    # A schema that the answer shall have, with its name.
    schema: tuple | None
    left_out: set


def conversation_of(exchange):
    """What was said and asked for."""
    left_out = set()
    read = {"openai": of_openai, "anthropic": of_anthropic, "google": of_google}[form_of(exchange)]
    return read(dict(exchange["request"]["body"]), left_out)


def told_in(form, conversation):
    """The body of a request, and what was left out of it."""
    tell = {"openai": in_openai, "anthropic": in_anthropic, "google": in_google}[form]
    return tell(conversation), conversation.left_out


def take(body, names):
    """The members of these names, taken out of a body; what OpenAI calls them first."""
    found = {ours: body.pop(theirs, None) for ours, theirs in names.items()}
    return {name: value for name, value in found.items() if value is not None}


def data_url(url):
    """Media type and base64 of a data URL."""
    kind, _, data = url.removeprefix("data:").partition(";base64,")
    return kind, data


def of_openai(body, left_out):
    """Of a chat completion."""
    system, turns, names = [], [], {}
    for message in body.pop("messages"):
        parts = []
        content = message.get("content") or []
        for part in [{"type": "text", "text": content}] if isinstance(content, str) else content:
            if part["type"] == "text":
                parts.append(("text", part["text"]))
            elif part["type"] == "image_url" and part["image_url"]["url"].startswith("data:"):
                parts.append(("image", *data_url(part["image_url"]["url"])))
            else:
                left_out.add(part["type"])
        for call in message.get("tool_calls") or []:
            function = call["function"]
            names[call["id"]] = function["name"]
            parts.append(("call", call["id"], function["name"], arguments(function["arguments"])))
        match message["role"]:
            case "system" | "developer":
                system += [part[1] for part in parts]
            case "tool":
                told = "".join(part[1] for part in parts if part[0] == "text")
                turns.append(("user", [("result", message["tool_call_id"], names.get(message["tool_call_id"], "tool"), told)]))
            case role:
                turns.append((role, parts))
    tools = []
    for tool in body.pop("tools", None) or []:
        function = tool.get("function")
        if tool.get("type") != "function":
            left_out.add(f"tools.{tool.get('type')}")
            continue
        tools.append((function["name"], function.get("description") or "", function.get("parameters") or {"type": "object"}))
    choice = body.pop("tool_choice", None)
    if isinstance(choice, dict):
        choice = choice["function"]["name"]
    settings = take(body, {"temperature": "temperature", "top_p": "top_p", "stop": "stop"})
    for name in ("max_tokens", "max_completion_tokens"):
        settings |= take(body, {"max_tokens": name})
    schema, shape = None, body.get("response_format")
    if shape and shape["type"] == "json_schema":
        schema = shape["json_schema"]["name"], shape["json_schema"]["schema"]
        del body["response_format"]
    return finished(body, "\n".join(system), turns, tools, "any" if choice == "required" else choice, settings, schema, left_out)


def of_anthropic(body, left_out):
    """Of a message."""
    system = body.pop("system", None) or ""
    if isinstance(system, list):
        system = "\n".join(block["text"] for block in system)
    turns, names = [], {}
    for message in body.pop("messages"):
        parts = []
        content = message["content"]
        for block in [{"type": "text", "text": content}] if isinstance(content, str) else content:
            match block["type"]:
                case "text":
                    parts.append(("text", block["text"]))
                case "image" if block["source"]["type"] == "base64":
                    parts.append(("image", block["source"]["media_type"], block["source"]["data"]))
                case "tool_use":
                    names[block["id"]] = block["name"]
                    parts.append(("call", block["id"], block["name"], block["input"]))
                case "tool_result":
                    told = block.get("content") or ""
                    if isinstance(told, list):
                        told = "".join(one.get("text", "") for one in told)
                    parts.append(("result", block["tool_use_id"], names.get(block["tool_use_id"], "tool"), told))
                case other:
                    left_out.add(other)
        turns.append((message["role"], parts))
    tools = []
    for tool in body.pop("tools", None) or []:
        if "input_schema" not in tool:
            left_out.add(f"tools.{tool.get('type')}")
            continue
        tools.append((tool["name"], tool.get("description") or "", tool["input_schema"]))
    choice = body.pop("tool_choice", None) or {}
    choice = choice.get("name") or choice.get("type")
    settings = take(body, {"max_tokens": "max_tokens", "temperature": "temperature", "top_p": "top_p", "stop": "stop_sequences"})
    return finished(body, system, turns, tools, choice, settings, None, left_out)


def of_google(body, left_out):
    """Of an answer of Gemini's."""
    system = body.pop("systemInstruction", None) or {}
    system = "\n".join(part["text"] for part in system.get("parts") or [])
    turns = []
    for content in body.pop("contents"):
        parts = []
        for part in content["parts"]:
            match part:
                case {"text": text}:
                    parts.append(("text", text))
                case {"inlineData": data} if data["mimeType"].startswith("image/"):
                    parts.append(("image", data["mimeType"], data["data"].replace("-", "+").replace("_", "/")))
                case {"functionCall": call}:
                    parts.append(("call", call.get("id") or f"call_{call['name']}", call["name"], call.get("args") or {}))
                case {"functionResponse": result}:
                    name = result["name"]
                    parts.append(("result", result.get("id") or f"call_{name}", name, json.dumps(result["response"])))
                case other:
                    left_out.update(other)
        turns.append(("assistant" if content.get("role") == "model" else "user", parts))
    tools = []
    for tool in body.pop("tools", None) or []:
        left_out.update(f"tools.{name}" for name in tool if name != "functionDeclarations")
        for function in tool.get("functionDeclarations") or []:
            schema = function.get("parametersJsonSchema") or function.get("parameters") or {"type": "object"}
            tools.append((function["name"], function.get("description") or "", lower(schema)))
    mode = (body.pop("toolConfig", None) or {}).get("functionCallingConfig") or {}
    choice = {"ANY": "any", "NONE": "none", "AUTO": "auto"}.get(mode.get("mode"))
    given = dict(body.pop("generationConfig", None) or {})
    settings = take(given, {"max_tokens": "maxOutputTokens", "temperature": "temperature", "top_p": "topP", "stop": "stopSequences"})
    return finished(body | given, system, turns, tools, choice, settings, None, left_out)


def lower(schema):
    """A schema with its types as JSON Schema writes them."""
    if isinstance(schema, list):
        return [lower(one) for one in schema]
    if not isinstance(schema, dict):
        return schema
    return {k: v.lower() if k == "type" and isinstance(v, str) else lower(v) for k, v in schema.items()}


def finished(body, system, turns, tools, choice, settings, schema, left_out):
    """A conversation; what is left of the body is left out."""
    known = {"model", "stream", "stream_options", "user", "n", "metadata", "store"}
    left_out.update(name for name, value in body.items() if name not in known and value is not None)
    turns = [(role, parts) for role, parts in turns if parts]
    choice = choice if tools else None
    return Conversation(system, turns, tools, choice, settings, schema, left_out)


def in_openai(told):
    """As a chat completion."""
    messages = [{"role": "system", "content": told.system}] if told.system else []
    for role, parts in told.turns:
        content, calls = [], []
        for kind, *part in parts:
            if kind == "text":
                content.append({"type": "text", "text": part[0]})
            elif kind == "image":
                content.append({"type": "image_url", "image_url": {"url": f"data:{part[0]};base64,{part[1]}"}})
            elif kind == "call":
                function = {"name": part[1], "arguments": json.dumps(part[2])}
                calls.append({"id": part[0], "type": "function", "function": function})
            else:
                messages.append({"role": "tool", "tool_call_id": part[0], "content": part[2]})
        if content or calls:
            message = {"role": role, "content": content or None}
            messages.append(message | ({"tool_calls": calls} if calls else {}))
    body = {"messages": messages} | told.settings
    if told.tools:
        body["tools"] = [
            {"type": "function", "function": {"name": n, "description": d, "parameters": p}} for n, d, p in told.tools
        ]
    if told.choice:
        plain = {"any": "required", "auto": "auto", "none": "none"}.get(told.choice)
        body["tool_choice"] = plain or {"type": "function", "function": {"name": told.choice}}
    if told.schema:
        name, schema = told.schema
        body["response_format"] = {"type": "json_schema", "json_schema": {"name": name, "schema": schema}}
    return body


def in_anthropic(told):
    """As a message."""
    messages = []
    for role, parts in told.turns:
        blocks = []
        for kind, *part in parts:
            if kind == "text":
                blocks.append({"type": "text", "text": part[0]})
            elif kind == "image":
                source = {"type": "base64", "media_type": part[0], "data": part[1]}
                blocks.append({"type": "image", "source": source})
            elif kind == "call":
                blocks.append({"type": "tool_use", "id": part[0], "name": part[1], "input": part[2]})
            else:
                blocks.append({"type": "tool_result", "tool_use_id": part[0], "content": part[2]})
        messages.append({"role": role, "content": blocks})
    settings = dict(told.settings)
    stop = settings.pop("stop", None)
    body = {"max_tokens": 4096, "messages": messages} | settings
    if stop:
        body["stop_sequences"] = [stop] if isinstance(stop, str) else stop
    if told.system:
        body["system"] = told.system
    if told.tools:
        body["tools"] = [{"name": n, "description": d, "input_schema": p} for n, d, p in told.tools]
    if told.choice:
        plain = told.choice in ("any", "auto", "none")
        body["tool_choice"] = {"type": told.choice} if plain else {"type": "tool", "name": told.choice}
    if told.schema:
        body["output_config"] = {"format": {"type": "json_schema", "schema": told.schema[1]}}
    return body


def in_google(told):
    """As a request for an answer of Gemini's."""
    contents = []
    for role, parts in told.turns:
        told_parts = []
        for kind, *part in parts:
            if kind == "text":
                told_parts.append({"text": part[0]})
            elif kind == "image":
                told_parts.append({"inlineData": {"mimeType": part[0], "data": part[1]}})
            elif kind == "call":
                told_parts.append({"functionCall": {"id": part[0], "name": part[1], "args": part[2]}})
            else:
                response = {"id": part[0], "name": part[1], "response": {"result": part[2]}}
                told_parts.append({"functionResponse": response})
        contents.append({"role": "model" if role == "assistant" else "user", "parts": told_parts})
    names = {"max_tokens": "maxOutputTokens", "temperature": "temperature", "top_p": "topP", "stop": "stopSequences"}
    config = {names[name]: value for name, value in told.settings.items()}
    if isinstance(config.get("stopSequences"), str):
        config["stopSequences"] = [config["stopSequences"]]
    if told.schema:
        config |= {"responseMimeType": "application/json", "responseJsonSchema": told.schema[1]}
    body = {"contents": contents, "generationConfig": config}
    if told.system:
        body["systemInstruction"] = {"parts": [{"text": told.system}]}
    if told.tools:
        functions = [{"name": n, "description": d, "parametersJsonSchema": p} for n, d, p in told.tools]
        body["tools"] = [{"functionDeclarations": functions}]
    if told.choice:
        mode = {"any": "ANY", "auto": "AUTO", "none": "NONE"}.get(told.choice)
        calling = {"mode": mode} if mode else {"mode": "ANY", "allowedFunctionNames": [told.choice]}
        body["toolConfig"] = {"functionCallingConfig": calling}
    return body
