"""What every SDK is asked, whichever form it speaks and whichever form its provider does: a plain
answer, a stream, tools and their results, errors with their types, usage. An SDK's tests say how it
does that."""

import os
from typing import NamedTuple

# Providers by the form they speak, as models of each are named everywhere.
PROVIDERS = ("openai", "anthropic", "google")

QUESTION = "one two three"
TOOLS = {"get_weather": "city", "get_time": "zone"}
# Of a call of `get_weather`.
TOOL_RESULT = "18 degrees"


class Heard(NamedTuple):
    """What came back of a call."""

    text: str
    # Names and arguments.
    calls: list
    stop: str
    # Tokens in and out.
    usage: tuple
    # How many pieces of text there were.
    pieces: int = 1


def schema(argument):
    """The parameters of a tool."""
    return {"type": "object", "properties": {argument: {"type": "string"}}, "required": [argument]}


class Conversations:
    """The cases. An SDK's class of tests gives:

    `ask(model, **more)`, `stream(model, **more)`: what it hears; `tools=True` gives it the tools.
    `answer_tool(model)`: what it hears after a call of `get_weather` whose result it gives.
    `stops`: what it calls the end of an answer, and the end for tools.
    `refused`, `limited`: the errors of a bad request and of a limit.
    """

    def plain(self, model):
        heard = self.ask(f"{model}plain")
        self.assertEqual((heard.text, heard.calls), ("one two three", []))
        self.assertEqual(heard.stop, self.stops[0])
        self.assertEqual(heard.usage, (5, 3))

    def streamed(self, model):
        heard = self.stream(f"{model}plain")
        self.assertEqual((heard.text, heard.calls), ("one two three", []))
        self.assertGreaterEqual(heard.pieces, 3)
        self.assertEqual(heard.stop, self.stops[0])
        self.assertEqual(heard.usage, (5, 3))

    def tool_call(self, model):
        heard = self.ask(f"{model}tools", tools=True)
        self.assertEqual(heard.calls, [("get_weather", {"city": "Paris"})])
        self.assertEqual(heard.stop, self.stops[1])

    def parallel_tool_calls_streamed(self, model):
        heard = self.stream(f"{model}parallel", tools=True)
        self.assertEqual(
            heard.calls,
            [("get_weather", {"city": "Paris"}), ("get_time", {"zone": "Europe/Paris"})],
        )
        self.assertEqual(heard.stop, self.stops[1])

    def tool_result(self, model):
        heard = self.answer_tool(f"{model}tools")
        self.assertEqual(heard.text, f"It is {TOOL_RESULT}.")
        self.assertEqual(heard.stop, self.stops[0])

    def bad_request(self, model):
        with self.assertRaises(self.refused) as raised:
            self.ask(f"{model}bad")
        self.assertIn("does not like this request", str(raised.exception))

    def rate_limit(self, model):
        with self.assertRaises(self.limited) as raised:
            self.ask(f"{model}limited")
        self.assertIn("Rate limit reached", str(raised.exception))


CASES = (
    Conversations.plain,
    Conversations.streamed,
    Conversations.tool_call,
    Conversations.parallel_tool_calls_streamed,
    Conversations.tool_result,
    Conversations.bad_request,
    Conversations.rate_limit,
)


def at(*providers):
    """Gives a class of tests every case at each of these providers."""

    def test(case, provider):
        return lambda self: case(self, f"{provider}/scenario-")

    def with_cases(tests):
        for provider in providers:
            for case in CASES:
                setattr(tests, f"test_{case.__name__}_at_{provider}", test(case, provider))
        return tests

    return with_cases


def gateway():
    """Where the gateway is."""
    return os.environ["SDK_URL"]


def access_key():
    """The access key of a user who has keys of every provider."""
    return os.environ["SDK_KEY"]
