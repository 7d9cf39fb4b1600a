"""`Chat` from Python: the client of the documentation, and what else a service does. Models named
`scenario-…` are the scripted upstream's, behind a key of the user's own."""

import os
import subprocess
import sys
import unittest

import grpc
from keyward.metering.v1 import usage_pb2 as usage
from keyward.router.v1 import chat_pb2 as chat
from keyward.router.v1 import router_service_pb2_grpc as router

# Longer than anything here takes, in seconds.
PATIENCE = 60


def asked(model, **more):
    """A user's one word to a model."""
    said = chat.ChatMessage(role=chat.CHAT_ROLE_USER, parts=[chat.ChatPart(text="hello")])
    return chat.ChatRequest(model=model, messages=[said], **more)


def client(*arguments, **environment):
    """Runs the documentation's client."""
    command = [sys.executable, os.environ["GRPC_CLIENT"], *arguments]
    environment = os.environ | environment
    return subprocess.run(
        command, env=environment, capture_output=True, text=True, timeout=PATIENCE
    )


class Documented(unittest.TestCase):
    """The client as it stands in the documentation."""

    def test_prints_an_answer_and_its_tokens(self):
        done = client("openai/scenario-plain", "hello")
        self.assertEqual((done.stdout, done.returncode), ("one two three\n3 tokens\n", 0))

    def test_says_who_refuses_it(self):
        done = client("openai/scenario-plain", "hello", KEYWARD_ACCESS_KEY="kw_wrong")
        self.assertNotEqual(done.returncode, 0)
        self.assertIn("UNAUTHENTICATED", done.stderr)


class Chat(unittest.TestCase):
    """What a service does with it."""

    @classmethod
    def setUpClass(cls):
        cls.channel = grpc.insecure_channel(os.environ["KEYWARD_GRPC"])
        cls.credential = [("authorization", "Bearer " + os.environ["KEYWARD_ACCESS_KEY"])]
        cls.service = router.RouterServiceStub(cls.channel)

    @classmethod
    def tearDownClass(cls):
        cls.channel.close()

    def chat(self, request):
        """The responses to a request."""
        return self.service.Chat(request, metadata=self.credential, timeout=PATIENCE)

    def test_the_head_comes_first_and_the_summary_last(self):
        responses = list(self.chat(asked("openai/scenario-plain")))
        head, summary = responses[0].head, responses[-1].summary
        self.assertEqual(head.provider, "openai")
        self.assertEqual(head.key_source, usage.KEY_SOURCE_USER)
        self.assertEqual((summary.usage.input_tokens, summary.usage.output_tokens), (5, 3))
        self.assertEqual(summary.charge_nanos, 0)
        self.assertEqual(responses[-2].stop.reason, chat.CHAT_STOP_REASON_END)

    def test_parallel_calls_of_tools_are_told_apart_by_their_places(self):
        tools = [
            chat.ChatTool(
                name=name,
                parameters_json_schema='{"type": "object", "properties": {}}',
            )
            for name in ("get_weather", "get_time")
        ]
        for whole in (False, True):
            calls = {}
            for response in self.chat(asked("openai/scenario-parallel", tools=tools, whole=whole)):
                match response.WhichOneof("event"):
                    case "tool_call":
                        calls[response.tool_call.place.part] = [response.tool_call.name, ""]
                    case "arguments":
                        calls[response.arguments.place.part][1] += response.arguments.json
                    case "stop":
                        reason = response.stop.reason
            expected = [
                ["get_weather", '{"city":"Paris"}'],
                ["get_time", '{"zone":"Europe/Paris"}'],
            ]
            self.assertEqual([calls[part] for part in sorted(calls)], expected)
            self.assertEqual(reason, chat.CHAT_STOP_REASON_TOOL_CALLS)

    def test_a_providers_refusal_is_a_status(self):
        with self.assertRaises(grpc.RpcError) as raised:
            list(self.chat(asked("openai/scenario-bad")))
        self.assertEqual(raised.exception.code(), grpc.StatusCode.INVALID_ARGUMENT)
        self.assertIn("does not like", raised.exception.details())

    def test_what_breaks_off_is_paid_for_and_fails(self):
        told = []
        with self.assertRaises(grpc.RpcError) as raised:
            for response in self.chat(asked("openai/scenario-cut")):
                told.append(response)
        self.assertEqual(raised.exception.code(), grpc.StatusCode.UNAVAILABLE)
        self.assertEqual("".join(response.text.text for response in told), "one two ")
        self.assertEqual(told[-1].WhichOneof("event"), "summary")

    def test_who_has_heard_enough_cancels(self):
        call = self.chat(asked("openai/scenario-trickle"))
        for response in call:
            if response.WhichOneof("event") == "text":
                call.cancel()
                break
        self.assertEqual(call.code(), grpc.StatusCode.CANCELLED)


if __name__ == "__main__":
    unittest.main()
