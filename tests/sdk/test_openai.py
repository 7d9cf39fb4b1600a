"""The official OpenAI SDK with nothing changed but `base_url` and `api_key`."""

import unittest

import openai

from gateway import Gateway

MESSAGES = [{"role": "user", "content": "one two three"}]


class OpenAiSdk(unittest.TestCase):
    """Every test is one thing that an application does."""

    @classmethod
    def setUpClass(cls):
        cls.gateway = Gateway()
        cls.client = openai.OpenAI(base_url=cls.gateway.url + "/v1", api_key=cls.gateway.admin_key)

    @classmethod
    def tearDownClass(cls):
        cls.client.close()
        code = cls.gateway.stop()
        assert code == 0, f"the gateway exited with {code}"

    def test_chat(self):
        answer = self.client.chat.completions.create(model="sandbox/echo", messages=MESSAGES)
        self.assertEqual(answer.choices[0].message.content, "one two three")
        self.assertEqual(answer.usage.prompt_tokens, 3)
        self.assertEqual(answer.usage.completion_tokens, 3)

    def test_headers_say_who_served_and_what_it_cost(self):
        raw = self.client.chat.completions.with_raw_response.create(
            model="sandbox/echo", messages=MESSAGES
        )
        self.assertEqual(raw.headers["x-keyward-key-source"], "system")
        self.assertEqual(raw.headers["x-credits-charged"], "0.000009")
        self.assertTrue(raw.headers["x-request-id"])

    def test_streamed_chat(self):
        stream = self.client.chat.completions.create(
            model="sandbox/echo", messages=MESSAGES, stream=True
        )
        chunks = list(stream)
        text = "".join(c.choices[0].delta.content or "" for c in chunks if c.choices)
        self.assertEqual(text.strip(), "one two three")
        self.assertTrue(all(chunk.usage is None for chunk in chunks))
        self.assertEqual(chunks[-1].choices[0].finish_reason, "stop")

    def test_streamed_chat_with_usage(self):
        stream = self.client.chat.completions.create(
            model="sandbox/echo",
            messages=MESSAGES,
            stream=True,
            stream_options={"include_usage": True},
        )
        last = list(stream)[-1]
        self.assertEqual(last.choices, [])
        self.assertEqual(last.usage.total_tokens, 6)

    def test_list_and_retrieve_models(self):
        models = [model.id for model in self.client.models.list()]
        self.assertIn("sandbox/echo", models)
        self.assertIn("openai/gpt-4o", models)
        self.assertEqual(self.client.models.retrieve("sandbox/echo").id, "sandbox/echo")

    def test_a_wrong_access_key(self):
        wrong = self.client.with_options(api_key="kw_wrong")
        with self.assertRaises(openai.AuthenticationError) as raised:
            wrong.chat.completions.create(model="sandbox/echo", messages=MESSAGES)
        self.assertEqual(raised.exception.code, "invalid_access_key")

    def test_an_unknown_model(self):
        with self.assertRaises(openai.NotFoundError) as raised:
            self.client.chat.completions.create(model="no-such-model", messages=MESSAGES)
        self.assertEqual(raised.exception.code, "model_not_found")

    def test_a_malformed_request(self):
        with self.assertRaises(openai.BadRequestError):
            self.client.chat.completions.create(model="sandbox/echo", messages="text")

    def test_an_own_key(self):
        answer = self.client.chat.completions.with_raw_response.create(
            model="sandbox/echo",
            messages=MESSAGES,
            extra_headers={"x-byok-api-key": "sk-sandbox-mine"},
        )
        self.assertEqual(answer.headers["x-using-byok"], "true")
        self.assertEqual(answer.headers["x-credits-charged"], "0.00")


if __name__ == "__main__":
    unittest.main()
