"""What recorded exchanges say, read from their own forms; nothing here asks a gateway or an SDK."""

import json
from typing import NamedTuple

APIS = {
    "chat.completions": "openai",
    "messages": "anthropic",
    "generateContent": "google",
    "streamGenerateContent": "google",
}

# What each form calls the ends of an answer.
STOPS = {
    "stop": "end",
    "end_turn": "end",
    "stop_sequence": "end",
    "STOP": "end",
    "eos": "end",
    "length": "length",
    "max_tokens": "length",
    "MAX_TOKENS": "length",
    "model_context_window_exceeded": "length",
    "tool_calls": "tools",
    "tool_use": "tools",
    "function_call": "tools",
    "content_filter": "filter",
    "refusal": "filter",
    "SAFETY": "filter",
    "PROHIBITED_CONTENT": "filter",
    "RECITATION": "filter",
    "BLOCKLIST": "filter",
    "SPII": "filter",
}


class Failed(Exception):
    """What was recorded is a failure, though its status is none."""


class Answer(NamedTuple):
    """An answer as the forms have it in common."""

    text: str
    # Names and arguments.
    calls: list
    stop: str
    # Tokens: all of the prompt, all of the answer, and what of the prompt was cached.
    usage: tuple


def form_of(exchange):
    """The form of a conversation; none for what is no conversation, or of a form of its own."""
    form = APIS.get(exchange["api"])
    path, body = exchange["request"]["path"], exchange["request"].get("body")
    # Google is spoken to in its own form, never in OpenAI's.
    foreign = exchange["provider"] in ("bedrock", "vertex") or "/v1beta/openai/" in path
    return form if isinstance(body, dict) and not foreign else None


def answer_of(exchange):
    """The recorded answer; raises `Failed` for a failure."""
    response = exchange["response"]
    form = form_of(exchange)
    if "sse_chunks" in response:
        return STREAMED[form](events("".join(response["sse_chunks"])))
    return PLAIN[form](response["body"])


def events(text):
    """The JSON of a stream's events."""
    for block in text.replace("\r\n", "\n").split("\n\n"):
        lines = [line[5:].strip() for line in block.split("\n") if line.startswith("data:")]
        data = "\n".join(lines)
        if data and data != "[DONE]":
            yield json.loads(data)


def failure(told):
    """Raises an event or answer that tells of a failure."""
    error = told.get("error") if isinstance(told, dict) else None
    if error:
        raise Failed(error.get("message") or str(error))


def arguments(written):
    """The arguments of a call, which some write as a text; nothing for no text."""
    return json.loads(written or "{}") if isinstance(written, str | None) else written


def said(content):
    """The text of a content in OpenAI's form, which some give in parts."""
    if isinstance(content, list):
        return "".join(part.get("text", "") for part in content if part["type"] == "text")
    return content or ""


def openai_stop(name, calls, refused):
    """The end of an answer in OpenAI's form, which has a member of its own for refusals."""
    stop = stop_of(name, calls)
    return "refused" if refused and stop == "end" else stop


def stop_of(name, calls):
    """The end of an answer: calls decide where a form has no word for them."""
    stop = STOPS.get(name, name)
    return "tools" if calls and stop == "end" else stop


def openai_usage(usage):
    """Tokens in OpenAI's form. Where more of a prompt is cached than it has, it is that long."""
    details = usage.get("prompt_tokens_details") or {}
    cached = details.get("cached_tokens") or usage.get("prompt_cache_hit_tokens") or 0
    return max(usage.get("prompt_tokens", 0), cached), usage.get("completion_tokens", 0), cached


def openai(body):
    """A chat completion."""
    failure(body)
    choice = body["choices"][0]
    failure(choice)
    message = choice.get("message") or {}
    functions = [call["function"] for call in message.get("tool_calls") or []]
    calls = [(function["name"], arguments(function["arguments"])) for function in functions]
    text = said(message.get("content")) or message.get("refusal") or ""
    stop = openai_stop(choice["finish_reason"], calls, message.get("refusal"))
    return Answer(text, calls, stop, openai_usage(body.get("usage") or {}))


def openai_streamed(chunks):
    """A chat completion of chunks."""
    text, calls, stop, usage, refused = "", {}, None, {}, ""
    for chunk in chunks:
        failure(chunk)
        usage = chunk.get("usage") or (chunk.get("x_groq") or {}).get("usage") or usage
        for choice in chunk.get("choices") or []:
            failure(choice)
            delta = choice.get("delta") or {}
            text += said(delta.get("content"))
            refused += delta.get("refusal") or ""
            stop = choice.get("finish_reason") or stop
            for call in delta.get("tool_calls") or []:
                # Of one without an index there is one delta.
                place = call["index"] if call.get("index") is not None else len(calls)
                function = call.get("function") or {}
                name, written = calls.get(place, ("", ""))
                calls[place] = (
                    name + (function.get("name") or ""),
                    written + (function.get("arguments") or ""),
                )
    found = [(name, arguments(written)) for name, written in calls.values()]
    return Answer(text or refused, found, openai_stop(stop, found, refused), openai_usage(usage))


def anthropic(body):
    """A message."""
    texts = [block["text"] for block in body["content"] if block["type"] == "text"]
    calls = [
        (block["name"], block["input"]) for block in body["content"] if block["type"] == "tool_use"
    ]
    usage = body["usage"]
    cached = usage.get("cache_read_input_tokens") or 0
    written = usage.get("cache_creation_input_tokens") or 0
    tokens = usage["input_tokens"] + cached + written, usage["output_tokens"], cached
    return Answer("".join(texts), calls, stop_of(body["stop_reason"], calls), tokens)


def anthropic_streamed(stream):
    """A message of events."""
    message, written = {}, {}
    for event in stream:
        failure(event)
        match event["type"]:
            case "message_start":
                message = event["message"] | {"content": []}
            case "content_block_start":
                message["content"].append(dict(event["content_block"]))
                written[event["index"]] = ""
            case "content_block_delta":
                delta, block = event["delta"], message["content"][event["index"]]
                if delta["type"] == "text_delta":
                    block["text"] += delta["text"]
                if delta["type"] == "input_json_delta":
                    written[event["index"]] += delta["partial_json"]
            case "content_block_stop":
                if written[event["index"]]:
                    message["content"][event["index"]]["input"] = json.loads(
                        written[event["index"]]
                    )
            case "message_delta":
                message |= event["delta"]
                told = {name: count for name, count in event["usage"].items() if count is not None}
                message["usage"] = message["usage"] | told
    return anthropic(message)


def google(body):
    """An answer of Gemini's."""
    return google_streamed([body])


def google_streamed(answers):
    """An answer of Gemini's that came in pieces."""
    parts, stop, usage = [], None, {}
    for answer in answers:
        failure(answer)
        usage = usage | (answer.get("usageMetadata") or {})
        for candidate in (answer.get("candidates") or [])[:1]:
            parts += (candidate.get("content") or {}).get("parts") or []
            stop = candidate.get("finishReason") or stop
    texts = [part["text"] for part in parts if part.get("text") and not part.get("thought")]
    functions = [part["functionCall"] for part in parts if "functionCall" in part]
    calls = [(function["name"], function.get("args") or {}) for function in functions]
    given = usage.get("promptTokenCount", 0) + usage.get("toolUsePromptTokenCount", 0)
    made = usage.get("candidatesTokenCount", 0) + usage.get("thoughtsTokenCount", 0)
    tokens = given, made, usage.get("cachedContentTokenCount", 0)
    return Answer("".join(texts), calls, stop_of(stop, calls), tokens)


PLAIN = {"openai": openai, "anthropic": anthropic, "google": google}
STREAMED = {"openai": openai_streamed, "anthropic": anthropic_streamed, "google": google_streamed}
