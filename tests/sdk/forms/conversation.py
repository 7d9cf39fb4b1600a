"""A conversation as the forms have it in common."""

from typing import Any, NamedTuple

# Members of requests that say nothing of the conversation.
NOT_SAID = {"model", "stream", "stream_options", "user", "n", "metadata", "store"}


class Text(NamedTuple):
    """What was said."""

    text: str


class Image(NamedTuple):
    """An image, in base64."""

    media_type: str
    data: str


class Call(NamedTuple):
    """A call of a tool."""

    id: str
    name: str
    arguments: Any


class Result(NamedTuple):
    """What came of a call."""

    id: str
    name: str
    text: str


class Tool(NamedTuple):
    """A tool that may be called, with a schema for its arguments."""

    name: str
    description: str
    parameters: Any


class Conversation(NamedTuple):
    """A conversation and what is asked for."""

    system: str
    # Role (`user`, `assistant`) and parts.
    turns: list
    tools: list
    # `auto`, `any`, `none`, or the name of a tool.
    choice: str | None
    # By OpenAI's names: `max_tokens`, `temperature`, `top_p`, `stop`.
    settings: dict
    # Name and schema of the answer that is wanted.
    schema: tuple | None = None


def take(body, names):
    """Settings, taken out of a body: OpenAI's names for them, by the form's own."""
    found = {names[name]: body.pop(name) for name in names if name in body}
    return {name: value for name, value in found.items() if value is not None}


def named(settings, names):
    """Settings by the form's own names."""
    back = {ours: theirs for theirs, ours in names.items()}
    return {back[name]: value for name, value in settings.items()}


def listed(stop):
    """Texts that end an answer, one of which some write alone."""
    return [stop] if isinstance(stop, str) else stop


def leave(body, left_out):
    """What was not taken out of a body is left out."""
    told = {name for name, value in body.items() if value is not None}
    left_out.update(told - NOT_SAID)


def call_names(turns):
    """The names of tools by the ids of their calls."""
    parts = [part for _, parts in turns for part in parts]
    return {part.id: part.name for part in parts if isinstance(part, Call)}
