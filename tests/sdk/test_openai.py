"""The official OpenAI SDK for Python with nothing changed but `base_url` and `api_key`. Models named
`scenario-…` are the scripted upstream's, behind a key of the user's own."""

import io
import json
import os
import time
import unittest

import openai
from pydantic import BaseModel

from conversations import (
    PROVIDERS,
    QUESTION,
    TOOL_RESULT,
    Conversations,
    Heard,
    access_key,
    at,
    gateway,
    schema,
)
from conversations import TOOLS as ARGUMENTS

MESSAGES = [{"role": "user", "content": QUESTION}]
TOOLS = [
    {"type": "function", "function": {"name": name, "parameters": schema(argument)}}
    for name, argument in ARGUMENTS.items()
]


class Person(BaseModel):
    """What `scenario-schema` answers."""

    name: str
    age: int


def text_of(chunks):
    """The text of a stream."""
    return "".join(c.choices[0].delta.content or "" for c in chunks if c.choices)


def calls_of(chunks):
    """The tool calls of a stream, put together: name and arguments by index."""
    calls = {}
    for chunk in chunks:
        for choice in chunk.choices:
            for call in choice.delta.tool_calls or []:
                name, arguments = calls.get(call.index, ("", ""))
                function = call.function
                calls[call.index] = (
                    name + (function.name or ""),
                    arguments + (function.arguments or ""),
                )
    return calls


class OpenAiSdk(unittest.TestCase):
    """Every test is one thing that an application does."""

    @classmethod
    def setUpClass(cls):
        cls.client = openai.OpenAI(base_url=gateway() + "/v1", api_key=access_key(), max_retries=0)
        cls.admin = cls.client.with_options(api_key=os.environ["SDK_ADMIN_KEY"])

    @classmethod
    def tearDownClass(cls):
        cls.client.close()

    def ask(self, scenario, messages=MESSAGES, **more):
        """Asks a scenario."""
        return self.client.chat.completions.create(
            model=f"scenario-{scenario}", messages=messages, **more
        )

    def raised(self, kind, scenario, **more):
        """The error that a scenario raises."""
        with self.assertRaises(kind) as raised:
            self.ask(scenario, **more)
        return raised.exception

    def test_chat(self):
        answer = self.ask("plain")
        self.assertEqual(answer.choices[0].message.content, "one two three")
        self.assertEqual(answer.choices[0].finish_reason, "stop")
        self.assertEqual((answer.usage.prompt_tokens, answer.usage.completion_tokens), (5, 3))

    def test_headers_say_who_served_with_whose_key_and_what_it_cost(self):
        raw = self.client.chat.completions.with_raw_response.create(
            model="openai/scenario-plain", messages=MESSAGES
        )
        self.assertEqual(raw.headers["x-using-byok"], "true")
        self.assertEqual(raw.headers["x-provider"], "openai")
        self.assertEqual(raw.headers["x-keyward-key-source"], "user")
        self.assertEqual(raw.headers["x-credits-charged"], "0.00")
        self.assertEqual(raw.headers["x-provider-request-id"], "req-scenario")
        self.assertEqual(raw.headers["x-request-id"], raw.parse()._request_id)
        self.assertNotEqual(raw.headers["x-request-id"], "req-scenario")

    def test_the_platforms_key_is_paid_for_in_credits(self):
        raw = self.admin.chat.completions.with_raw_response.create(
            model="sandbox/echo", messages=MESSAGES
        )
        self.assertEqual(raw.headers["x-using-byok"], "false")
        self.assertEqual(raw.headers["x-credits-charged"], "0.000009")

    def test_a_stream_without_usage(self):
        chunks = list(self.ask("plain", stream=True))
        self.assertEqual(text_of(chunks), "one two three")
        self.assertTrue(all(chunk.usage is None for chunk in chunks))
        self.assertEqual(chunks[-1].choices[0].finish_reason, "stop")

    def test_a_stream_with_usage(self):
        chunks = list(self.ask("plain", stream=True, stream_options={"include_usage": True}))
        self.assertEqual(chunks[-1].choices, [])
        self.assertEqual(chunks[-1].usage.total_tokens, 8)
        self.assertEqual(text_of(chunks), "one two three")

    def test_a_long_answer_plain_and_streamed(self):
        plain = self.ask("long").choices[0].message.content
        self.assertEqual(len(plain.split()), 2000)
        self.assertEqual(text_of(self.ask("long", stream=True)), plain)

    def test_a_tool_call(self):
        choice = self.ask("tools", tools=TOOLS).choices[0]
        self.assertEqual(choice.finish_reason, "tool_calls")
        call = choice.message.tool_calls[0].function
        self.assertEqual((call.name, call.arguments), ("get_weather", '{"city":"Paris"}'))

    def test_a_streamed_tool_call(self):
        calls = calls_of(self.ask("tools", tools=TOOLS, stream=True))
        self.assertEqual(calls, {0: ("get_weather", '{"city":"Paris"}')})

    def test_parallel_tool_calls_streamed(self):
        calls = calls_of(self.ask("parallel", tools=TOOLS, stream=True))
        self.assertEqual(calls[0], ("get_weather", '{"city":"Paris"}'))
        self.assertEqual(calls[1], ("get_time", '{"zone":"Europe/Paris"}'))

    def test_structured_output_is_parsed(self):
        answer = self.client.chat.completions.parse(
            model="scenario-schema", messages=MESSAGES, response_format=Person
        )
        self.assertEqual(answer.choices[0].message.parsed, Person(name="Ada", age=36))

    def test_structured_output_is_parsed_from_a_stream(self):
        with self.client.chat.completions.stream(
            model="scenario-schema", messages=MESSAGES, response_format=Person
        ) as stream:
            answer = stream.get_final_completion()
        self.assertEqual(answer.choices[0].message.parsed, Person(name="Ada", age=36))

    def test_a_refusal(self):
        message = self.ask("refusal").choices[0].message
        self.assertEqual((message.refusal, message.content), ("I will not.", None))

    def test_log_probabilities(self):
        choice = self.ask("logprobs", logprobs=True).choices[0]
        self.assertEqual(choice.logprobs.content[0].logprob, -0.25)

    def test_an_image_arrives_whole(self):
        data = "QUJD" * 1000
        image = {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{data}"}}
        answer = self.ask("image", messages=[{"role": "user", "content": [image]}])
        self.assertEqual(answer.choices[0].message.content, "3000 bytes")

    def test_list_and_retrieve_models(self):
        models = [model.id for model in self.client.models.list()]
        self.assertIn("sandbox/echo", models)
        self.assertIn("openai/gpt-4o", models)
        self.assertEqual(self.client.models.retrieve("sandbox/echo").id, "sandbox/echo")
        with self.assertRaises(openai.NotFoundError):
            self.client.models.retrieve("nobody/no-such-model")

    def test_a_wrong_access_key_is_401_and_not_repeated(self):
        wrong = self.client.with_options(api_key="kw_wrong", max_retries=2)
        with self.assertRaises(openai.AuthenticationError) as raised:
            wrong.chat.completions.create(model="scenario-plain", messages=MESSAGES)
        self.assertEqual(raised.exception.code, "invalid_access_key")
        self.assertEqual(raised.exception.response.headers["x-should-retry"], "false")

    def test_no_credits_is_402(self):
        poor = self.client.with_options(api_key=os.environ["SDK_POOR_KEY"], max_retries=2)
        with self.assertRaises(openai.APIStatusError) as raised:
            poor.chat.completions.create(model="sandbox/echo", messages=MESSAGES)
        self.assertEqual(raised.exception.status_code, 402)
        self.assertEqual(raised.exception.code, "insufficient_credits")
        self.assertEqual(raised.exception.response.headers["x-should-retry"], "false")

    def test_an_unknown_model_is_404(self):
        with self.assertRaises(openai.NotFoundError) as raised:
            self.client.chat.completions.create(model="nobody/no-such-model", messages=MESSAGES)
        self.assertEqual(raised.exception.code, "model_not_found")

    def test_a_model_without_a_key_is_404_and_says_which_would_help(self):
        poor = self.client.with_options(api_key=os.environ["SDK_POOR_KEY"])
        with self.assertRaises(openai.NotFoundError) as raised:
            poor.chat.completions.create(model="openai/gpt-4o", messages=MESSAGES)
        self.assertEqual(raised.exception.code, "no_key_for_model")
        self.assertIn("openai", raised.exception.message)

    def test_a_malformed_request_is_400(self):
        self.raised(openai.BadRequestError, "plain", messages="text")

    def test_the_providers_own_400_is_passed_on(self):
        error = self.raised(openai.BadRequestError, "bad")
        self.assertEqual(error.code, "scenario_bad")
        self.assertIn("does not like", error.message)

    def test_the_providers_limit_is_429_with_its_retry_after(self):
        error = self.raised(openai.RateLimitError, "limited")
        self.assertEqual(error.code, "provider_rate_limited")
        self.assertEqual(error.response.headers["retry-after"], "7")

    def test_a_server_error_is_repeated_and_then_fine(self):
        error = self.raised(openai.InternalServerError, "flaky_python_once")
        self.assertEqual(error.status_code, 502)
        answer = self.client.with_options(max_retries=2).chat.completions.create(
            model="scenario-flaky_python", messages=MESSAGES
        )
        self.assertEqual(answer.choices[0].message.content, "attempt 2")

    def test_a_stream_that_is_cut_raises(self):
        stream = self.ask("cut", stream=True)
        seen = []
        with self.assertRaises(openai.APIError):
            for chunk in stream:
                seen.append(chunk)
        self.assertEqual(text_of(seen), "one two ")

    def test_a_time_out(self):
        with self.assertRaises(openai.APITimeoutError):
            self.client.with_options(timeout=0.5).chat.completions.create(
                model="scenario-slow", messages=MESSAGES
            )

    def test_a_stream_can_be_left(self):
        start = time.monotonic()
        with self.ask("trickle", stream=True) as stream:
            first = next(chunk for chunk in stream if text_of([chunk]))
        self.assertEqual(text_of([first]), "drop ")
        self.assertLess(time.monotonic() - start, 5)

    def test_a_key_for_this_call_alone(self):
        answer = self.admin.chat.completions.with_raw_response.create(
            model="sandbox/echo",
            messages=MESSAGES,
            extra_headers={"x-byok-api-key": "sk-sandbox-mine"},
        )
        self.assertEqual(answer.headers["x-keyward-key-source"], "inline")
        self.assertEqual(answer.headers["x-credits-charged"], "0.00")

    def test_texts_are_embedded(self):
        answer = self.client.embeddings.create(model="scenario-embedding", input=["a", "b"])
        self.assertEqual([entry.embedding for entry in answer.data], [[0.25, -0.5]] * 2)
        self.assertEqual(answer.usage.prompt_tokens, 4)

    def test_an_image_is_made(self):
        answer = self.client.images.generate(model="scenario-image", prompt="A key")
        self.assertEqual(answer.data[0].b64_json, "YW4gaW1hZ2U=")
        self.assertEqual(answer.usage.output_tokens, 16)

    def test_a_text_is_spoken(self):
        answer = self.client.audio.speech.create(model="scenario-voice", voice="alloy", input="hi")
        self.assertTrue(answer.read().startswith(b"ID3"))

    def test_a_file_is_transcribed_whole(self):
        file = ("a.mp3", io.BytesIO(bytes(range(256)) * 300))
        answer = self.client.audio.transcriptions.create(model="scenario-ears", file=file)
        self.assertEqual(answer.text, "76800 bytes")


def heard(choice, usage, pieces=1):
    """A choice as the cases want it."""
    functions = [call.function for call in choice.message.tool_calls or []]
    calls = [(function.name, json.loads(function.arguments)) for function in functions]
    usage = (usage.prompt_tokens, usage.completion_tokens)
    return Heard(choice.message.content or "", calls, choice.finish_reason, usage, pieces)


class Cases(Conversations):
    """The cases in either of OpenAI's forms."""

    refused = openai.BadRequestError
    limited = openai.RateLimitError

    @classmethod
    def setUpClass(cls):
        cls.client = openai.OpenAI(base_url=gateway() + "/v1", api_key=access_key(), max_retries=0)

    @classmethod
    def tearDownClass(cls):
        cls.client.close()


@at(*PROVIDERS)
class ChatCompletions(Cases, unittest.TestCase):
    """The cases as chat completions."""

    stops = ("stop", "tool_calls")

    def ask(self, model, tools=False, messages=MESSAGES):
        more = {"tools": TOOLS} if tools else {}
        answer = self.client.chat.completions.create(model=model, messages=messages, **more)
        return heard(answer.choices[0], answer.usage)

    def stream(self, model, tools=False):
        more = {"tools": TOOLS} if tools else {}
        with self.client.chat.completions.stream(
            model=model, messages=MESSAGES, stream_options={"include_usage": True}, **more
        ) as stream:
            pieces = sum(1 for event in stream if event.type == "content.delta")
            answer = stream.get_final_completion()
        return heard(answer.choices[0], answer.usage, pieces)

    def answer_tool(self, model):
        function = {"name": "get_weather", "arguments": '{"city":"Paris"}'}
        call = {"id": "call_1", "type": "function", "function": function}
        messages = MESSAGES + [
            {"role": "assistant", "content": None, "tool_calls": [call]},
            {"role": "tool", "tool_call_id": "call_1", "content": TOOL_RESULT},
        ]
        return self.ask(model, True, messages)


@at(*PROVIDERS)
class Responses(Cases, unittest.TestCase):
    """The cases as responses."""

    stops = ("completed", "completed")

    def request(self, model, tools, items=QUESTION):
        """The arguments of a call."""
        functions = [{"type": "function", "strict": False, **tool["function"]} for tool in TOOLS]
        more = {"tools": functions} if tools else {}
        return {"model": model, "input": items, "store": False, **more}

    def heard(self, response, pieces=1):
        """A response as the cases want it."""
        items = [item for item in response.output if item.type == "function_call"]
        calls = [(item.name, json.loads(item.arguments)) for item in items]
        usage = (response.usage.input_tokens, response.usage.output_tokens)
        return Heard(response.output_text, calls, response.status, usage, pieces)

    def ask(self, model, tools=False, items=QUESTION):
        return self.heard(self.client.responses.create(**self.request(model, tools, items)))

    def stream(self, model, tools=False):
        with self.client.responses.stream(**self.request(model, tools)) as stream:
            pieces = sum(1 for event in stream if event.type == "response.output_text.delta")
            return self.heard(stream.get_final_response(), pieces)

    def answer_tool(self, model):
        call = {"call_id": "call_1", "name": "get_weather", "arguments": '{"city":"Paris"}'}
        items = [
            {"role": "user", "content": QUESTION},
            {"type": "function_call", **call},
            {"type": "function_call_output", "call_id": "call_1", "output": TOOL_RESULT},
        ]
        return self.ask(model, True, items)


if __name__ == "__main__":
    unittest.main()
