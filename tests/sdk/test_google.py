"""Google's SDK for Python, google-genai, with nothing changed but its address, the version in that,
and its key."""

import unittest

from google import genai
from google.genai import errors, types

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

ADDRESS = {"base_url": gateway(), "api_version": "v1beta"}
WITH_TOOLS = types.GenerateContentConfig(
    tools=[
        {
            "function_declarations": [
                {"name": name, "parameters_json_schema": schema(argument)}
                for name, argument in TOOLS.items()
            ]
        }
    ],
    automatic_function_calling={"disable": True},
)


def heard(answers):
    """A stream's answers, or one alone, as the cases want it."""
    parts = [part for answer in answers for part in answer.candidates[0].content.parts or []]
    texts = [part.text for part in parts if part.text]
    calls = [
        (part.function_call.name, part.function_call.args) for part in parts if part.function_call
    ]
    last = answers[-1]
    usage = (last.usage_metadata.prompt_token_count, last.usage_metadata.candidates_token_count)
    return Heard("".join(texts), calls, last.candidates[0].finish_reason.name, usage, len(texts))


@at(*PROVIDERS)
class GoogleSdk(Conversations, unittest.TestCase):
    """Every test is one thing that an application does."""

    stops = ("STOP", "STOP")
    refused = errors.ClientError
    limited = errors.ClientError

    @classmethod
    def setUpClass(cls):
        cls.client = cls.known_by(access_key())

    @staticmethod
    def known_by(key):
        """A client with this access key."""
        return genai.Client(api_key=key, http_options=ADDRESS)

    @classmethod
    def tearDownClass(cls):
        cls.client.close()

    def ask(self, model, tools=False, contents=QUESTION):
        config = WITH_TOOLS if tools else None
        return heard(
            [self.client.models.generate_content(model=model, contents=contents, config=config)]
        )

    def stream(self, model, tools=False):
        config = WITH_TOOLS if tools else None
        stream = self.client.models.generate_content_stream(
            model=model, contents=QUESTION, config=config
        )
        return heard(list(stream))

    def answer_tool(self, model):
        call = types.Part.from_function_call(name="get_weather", args={"city": "Paris"})
        result = types.Part.from_function_response(
            name="get_weather", response={"result": TOOL_RESULT}
        )
        contents = [
            types.UserContent(QUESTION),
            types.ModelContent([call]),
            types.UserContent([result]),
        ]
        return self.ask(model, True, contents)

    def raised(self, status, client, model="scenario-plain"):
        """The error of a call, which must have this status."""
        with self.assertRaises(errors.ClientError) as raised:
            client.models.generate_content(model=model, contents=QUESTION)
        self.assertEqual(raised.exception.code, status)
        return raised.exception

    def test_tokens_are_counted(self):
        counted = self.client.models.count_tokens(model="scenario-plain", contents=QUESTION)
        self.assertEqual(counted.total_tokens, 9)

    def test_contents_are_embedded(self):
        answer = self.client.models.embed_content(model="scenario-embedding", contents=["a", "b"])
        self.assertEqual([entry.values for entry in answer.embeddings], [[0.25, -0.5]] * 2)

    def test_an_error_has_its_status(self):
        self.assertEqual(self.raised(400, self.client, "scenario-bad").status, "INVALID_ARGUMENT")
        self.assertEqual(
            self.raised(429, self.client, "scenario-limited").status, "RESOURCE_EXHAUSTED"
        )

    def test_a_wrong_access_key_is_401(self):
        with self.known_by("kw_wrong") as client:
            self.assertEqual(self.raised(401, client).status, "UNAUTHENTICATED")

    def test_an_unknown_model_is_404(self):
        self.assertEqual(self.raised(404, self.client, "nobody/no-such-model").status, "NOT_FOUND")

    def test_models_are_listed(self):
        names = [model.name for model in self.client.models.list()]
        self.assertIn("models/google/gemini-2.5-flash", names)


if __name__ == "__main__":
    unittest.main()
