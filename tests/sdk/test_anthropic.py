"""The official Anthropic SDK for Python with nothing changed but `base_url` and `api_key`."""

import unittest

import anthropic

from conversations import (
    PROVIDERS,
    QUESTION,
    TOOL_RESULT,
    TOOLS,
    Conversations,
    Heard,
    access_key,
    at,
    gateway,
    schema,
)

MESSAGES = [{"role": "user", "content": QUESTION}]
WITH_TOOLS = [{"name": name, "input_schema": schema(argument)} for name, argument in TOOLS.items()]


def heard(message, pieces=1):
    """A message as the cases want it."""
    texts = [block.text for block in message.content if block.type == "text"]
    calls = [(block.name, block.input) for block in message.content if block.type == "tool_use"]
    usage = (message.usage.input_tokens, message.usage.output_tokens)
    return Heard("".join(texts), calls, message.stop_reason, usage, pieces)


@at(*PROVIDERS)
class AnthropicSdk(Conversations, unittest.TestCase):
    """Every test is one thing that an application does."""

    stops = ("end_turn", "tool_use")
    refused = anthropic.BadRequestError
    limited = anthropic.RateLimitError

    @classmethod
    def setUpClass(cls):
        cls.client = anthropic.Anthropic(base_url=gateway(), api_key=access_key(), max_retries=0)

    @classmethod
    def tearDownClass(cls):
        cls.client.close()

    def request(self, model, tools, messages=MESSAGES):
        """The arguments of a call."""
        more = {"tools": WITH_TOOLS} if tools else {}
        return {"model": model, "max_tokens": 256, "messages": messages, **more}

    def ask(self, model, tools=False):
        return heard(self.client.messages.create(**self.request(model, tools)))

    def stream(self, model, tools=False):
        with self.client.messages.stream(**self.request(model, tools)) as stream:
            pieces = list(stream.text_stream)
            return heard(stream.get_final_message(), len(pieces))

    def answer_tool(self, model):
        call = {
            "type": "tool_use",
            "id": "toolu_1",
            "name": "get_weather",
            "input": {"city": "Paris"},
        }
        result = {"type": "tool_result", "tool_use_id": "toolu_1", "content": TOOL_RESULT}
        messages = MESSAGES + [
            {"role": "assistant", "content": [call]},
            {"role": "user", "content": [result]},
        ]
        return heard(self.client.messages.create(**self.request(model, True, messages)))

    def test_events_come_in_order(self):
        events = self.client.messages.create(**self.request("scenario-plain", False), stream=True)
        kinds = [event.type for event in events]
        self.assertEqual((kinds[0], kinds[-1]), ("message_start", "message_stop"))
        self.assertEqual(kinds.count("content_block_delta"), 3)

    def test_tokens_are_counted(self):
        counted = self.client.messages.count_tokens(model="scenario-plain", messages=MESSAGES)
        self.assertEqual(counted.input_tokens, 9)

    def test_headers_say_who_served(self):
        raw = self.client.messages.with_raw_response.create(**self.request("scenario-plain", False))
        self.assertEqual(raw.headers["x-provider"], "anthropic")
        self.assertEqual(raw.headers["x-using-byok"], "true")

    def test_a_wrong_access_key_is_401(self):
        wrong = self.client.with_options(api_key="kw_wrong")
        with self.assertRaises(anthropic.AuthenticationError):
            wrong.messages.create(**self.request("scenario-plain", False))

    def test_an_unknown_model_is_404(self):
        with self.assertRaises(anthropic.NotFoundError):
            self.client.messages.create(**self.request("nobody/no-such-model", False))

    def test_a_stream_that_is_cut_raises(self):
        with self.assertRaises(anthropic.APIError):
            self.stream("scenario-cut")


if __name__ == "__main__":
    unittest.main()
