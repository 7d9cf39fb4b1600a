"""LangChain's models with nothing changed but address and key: `langchain-openai` and
`langchain-anthropic`."""

import unittest

import anthropic
import openai
from langchain_anthropic import ChatAnthropic
from langchain_core.messages import AIMessage, HumanMessage, ToolMessage
from langchain_openai import ChatOpenAI, OpenAIEmbeddings

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

WITH_TOOLS = [
    {"name": name, "description": name, "parameters": schema(argument)}
    for name, argument in TOOLS.items()
]


def heard(message, pieces=1):
    """A message as the cases want it."""
    calls = [(call["name"], call["args"]) for call in message.tool_calls]
    said = message.response_metadata
    stop = said.get("finish_reason") or said.get("stop_reason")
    usage = (message.usage_metadata["input_tokens"], message.usage_metadata["output_tokens"])
    return Heard(message.text, calls, stop, usage, pieces)


class Chains(Conversations):
    """The cases as LangChain has them, whoever made the model."""

    def ask(self, model, tools=False, messages=QUESTION):
        return heard(self.model(model, tools).invoke(messages))

    def stream(self, model, tools=False):
        chunks = list(self.model(model, tools).stream(QUESTION))
        whole = chunks[0]
        for chunk in chunks[1:]:
            whole += chunk
        return heard(whole, sum(1 for chunk in chunks if chunk.text))

    def answer_tool(self, model):
        call = {"name": "get_weather", "args": {"city": "Paris"}, "id": "call_1"}
        messages = [
            HumanMessage(QUESTION),
            AIMessage("", tool_calls=[call]),
            ToolMessage(TOOL_RESULT, tool_call_id="call_1"),
        ]
        return self.ask(model, True, messages)

    def model(self, name, tools):
        """A model, with the tools where they are wanted."""
        model = self.made(name)
        return model.bind_tools(WITH_TOOLS) if tools else model


@at(*PROVIDERS)
class LangChainOpenAi(Chains, unittest.TestCase):
    """`langchain-openai`."""

    stops = ("stop", "tool_calls")
    refused = openai.BadRequestError
    limited = openai.RateLimitError

    def made(self, name):
        return ChatOpenAI(
            model=name,
            base_url=gateway() + "/v1",
            api_key=access_key(),
            max_retries=0,
            stream_usage=True,
        )

    def test_texts_are_embedded(self):
        embeddings = OpenAIEmbeddings(
            model="scenario-embedding",
            base_url=gateway() + "/v1",
            api_key=access_key(),
            check_embedding_ctx_length=False,
        )
        self.assertEqual(embeddings.embed_documents(["a", "b"]), [[0.25, -0.5]] * 2)


@at(*PROVIDERS)
class LangChainAnthropic(Chains, unittest.TestCase):
    """`langchain-anthropic`."""

    stops = ("end_turn", "tool_use")
    refused = anthropic.BadRequestError
    limited = anthropic.RateLimitError

    def made(self, name):
        return ChatAnthropic(
            model=name, base_url=gateway(), api_key=access_key(), max_retries=0, max_tokens=256
        )


if __name__ == "__main__":
    unittest.main()
