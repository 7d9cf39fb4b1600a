"""LiteLLM's client, as it speaks to OpenAI and to Anthropic, with nothing changed but `api_base`
and `api_key`."""

import json
import os
import unittest

# It would fetch its list of prices.
os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"

import litellm

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
WITH_TOOLS = [
    {"type": "function", "function": {"name": name, "parameters": schema(argument)}}
    for name, argument in TOOLS.items()
]
litellm.suppress_debug_info = True


def heard(answer, pieces=1):
    """An answer as the cases want it."""
    choice = answer.choices[0]
    functions = [call.function for call in choice.message.tool_calls or []]
    calls = [(function.name, json.loads(function.arguments)) for function in functions]
    usage = (answer.usage.prompt_tokens, answer.usage.completion_tokens)
    return Heard(choice.message.content or "", calls, choice.finish_reason, usage, pieces)


class LiteLlm(Conversations):
    """The cases as LiteLLM has them, whichever form it speaks."""

    stops = ("stop", "tool_calls")
    refused = litellm.BadRequestError
    limited = litellm.RateLimitError

    def call(self, model, tools, messages=MESSAGES, **more):
        """A call of a model."""
        if tools:
            more["tools"] = WITH_TOOLS
        return litellm.completion(
            model=self.speaks + model,
            messages=messages,
            api_base=gateway() + self.path,
            api_key=access_key(),
            num_retries=0,
            max_retries=0,
            **more,
        )

    def ask(self, model, tools=False):
        return heard(self.call(model, tools))

    def stream(self, model, tools=False):
        chunks = list(self.call(model, tools, stream=True, stream_options={"include_usage": True}))
        whole = litellm.stream_chunk_builder(chunks, messages=MESSAGES)
        return heard(whole, sum(1 for c in chunks if c.choices and c.choices[0].delta.content))

    def answer_tool(self, model):
        function = {"name": "get_weather", "arguments": '{"city":"Paris"}'}
        call = {"id": "call_1", "type": "function", "function": function}
        messages = MESSAGES + [
            {"role": "assistant", "content": None, "tool_calls": [call]},
            {"role": "tool", "tool_call_id": "call_1", "content": TOOL_RESULT},
        ]
        return heard(self.call(model, True, messages))


@at(*PROVIDERS)
class LiteLlmToOpenAi(LiteLlm, unittest.TestCase):
    """Speaking OpenAI's form."""

    speaks, path = "openai/", "/v1"

    def test_a_wrong_access_key_is_an_authentication_error(self):
        with self.assertRaises(litellm.AuthenticationError):
            litellm.completion(
                model="openai/scenario-plain",
                messages=MESSAGES,
                api_base=gateway() + self.path,
                api_key="kw_wrong",
            )

    def test_texts_are_embedded(self):
        answer = litellm.embedding(
            model="openai/scenario-embedding",
            input=["a", "b"],
            api_base=gateway() + self.path,
            api_key=access_key(),
        )
        self.assertEqual([entry["embedding"] for entry in answer.data], [[0.25, -0.5]] * 2)


@at(*PROVIDERS)
class LiteLlmToAnthropic(LiteLlm, unittest.TestCase):
    """Speaking Anthropic's form."""

    speaks, path = "anthropic/", ""


if __name__ == "__main__":
    unittest.main()
