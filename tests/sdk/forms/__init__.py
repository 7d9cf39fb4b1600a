"""The forms of conversations: what is read of one can be told in another."""

from forms import anthropic_messages, gemini_generate, openai_chat
from recorded import form_of

FORMS = {
    "openai": openai_chat,
    "anthropic": anthropic_messages,
    "google": gemini_generate,
}


def retold(exchange, form):
    """The body of a recorded request in another form, and the names of what was left out of it."""
    left_out = set()
    body = dict(exchange["request"]["body"])
    conversation = FORMS[form_of(exchange)].read(body, left_out)
    return FORMS[form].write(conversation), left_out
