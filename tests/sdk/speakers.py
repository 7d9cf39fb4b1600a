"""The SDKs of the three forms: each asks the gateway in its form and gives what it read."""

import functools
import json

import anthropic
import openai
from google import genai
from google.genai import errors, types

import recorded


class Refused(Exception):
    """The gateway refuses what the provider's form lacks."""

    def __init__(self, param):
        super().__init__(param)
        self.param = param


def refusal(status, error):
    """The member that is refused, where that is why a request failed."""
    message = error.get("message", "") if isinstance(error, dict) else ""
    param = error.get("param") if isinstance(error, dict) else None
    if status == 400 and (
        error.get("code") == "unsupported_parameter" or "has no place for" in message
    ):
        return param or message
    return None


@functools.cache
def speakers(gateway, access_key):
    """How each form is spoken: a model, a body without it, and whether it shall stream."""
    chat = openai.OpenAI(base_url=f"{gateway}/v1", api_key=access_key, max_retries=0)
    messages = anthropic.Anthropic(base_url=gateway, api_key=access_key, max_retries=0)
    address = {"base_url": gateway, "api_version": "v1beta"}
    content = genai.Client(api_key=access_key, http_options=address)
    return {
        "openai": functools.partial(by_openai, chat),
        "anthropic": functools.partial(by_anthropic, messages),
        "google": functools.partial(by_google, content),
    }


def by_openai(client, model, body, is_streamed):
    """Asks for a chat completion."""
    try:
        if not is_streamed:
            answer = client.chat.completions.create(model=model, **body)
            return recorded.openai(answer.to_dict())
        options = {"include_usage": True}
        stream = client.chat.completions.create(
            model=model, stream=True, stream_options=options, **body
        )
        return recorded.openai_streamed(chunk.to_dict() for chunk in stream)
    except openai.BadRequestError as error:
        raise_refused(error, error.body)


def by_anthropic(client, model, body, is_streamed):
    """Asks for a message; the SDK puts streams together. It does not know all that the form has."""
    further = {name: body.pop(name) for name in ("temperature", "top_p", "top_k") if name in body}
    body = body | {"extra_body": further}
    try:
        if not is_streamed:
            return recorded.anthropic(client.messages.create(model=model, **body).to_dict())
        with client.messages.stream(model=model, **body) as stream:
            return recorded.anthropic(stream.get_final_message().to_dict())
    except anthropic.BadRequestError as error:
        raise_refused(error, (error.body or {}).get("error"))


def by_google(client, model, body, is_streamed):
    """Asks for an answer of Gemini's."""
    given = dict(body)
    contents = [types.Content.model_validate_json(json.dumps(one)) for one in given.pop("contents")]
    settings = given.pop("generationConfig", {}) | given
    config = types.GenerateContentConfig.model_validate_json(json.dumps(settings))
    config.automatic_function_calling = types.AutomaticFunctionCallingConfig(disable=True)
    asked = {"model": model, "contents": contents, "config": config}
    try:
        if not is_streamed:
            answers = [client.models.generate_content(**asked)]
        else:
            answers = list(client.models.generate_content_stream(**asked))
    except errors.ClientError as error:
        raise_refused(error, (error.details or {}).get("error", {}))
    written = [
        answer.model_dump(mode="json", by_alias=True, exclude_none=True) for answer in answers
    ]
    return recorded.google_streamed(written)


def raise_refused(error, told):
    """Raises what is refused by name, or the error as it is."""
    param = refusal(400, told or {})
    if param:
        raise Refused(param) from error
    raise error
