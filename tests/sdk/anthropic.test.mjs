// The official Anthropic SDK for Node with nothing changed but `baseURL` and `apiKey`.

import assert from "node:assert/strict";
import { test } from "node:test";

import Anthropic from "@anthropic-ai/sdk";

import { conversations, key, question, raised, schema, toolResult, tools as named, url } from "./conversations.mjs";

const as = (apiKey) => new Anthropic({ baseURL: url, apiKey, maxRetries: 0 });
const client = as(key);
const messages = [{ role: "user", content: question }];
const tools = Object.entries(named).map(([name, argument]) => ({ name, input_schema: schema(argument) }));

const asked = (model, more = {}) => ({
  model,
  max_tokens: 256,
  messages,
  ...(more.tools ? { tools } : {}),
});

function heard({ content, stop_reason, usage }, pieces = 1) {
  return {
    text: content.filter((block) => block.type === "text").map((block) => block.text).join(""),
    calls: content.filter((block) => block.type === "tool_use").map((block) => [block.name, block.input]),
    stop: stop_reason,
    usage: [usage.input_tokens, usage.output_tokens],
    pieces,
  };
}

conversations("messages", {
  stops: ["end_turn", "tool_use"],
  refused: Anthropic.BadRequestError,
  limited: Anthropic.RateLimitError,
  ask: async (model, more) => heard(await client.messages.create(asked(model, more))),
  stream: async (model, more) => {
    let pieces = 0;
    const stream = client.messages.stream(asked(model, more)).on("text", () => (pieces += 1));
    return heard(await stream.finalMessage(), pieces);
  },
  answerTool: async (model) => {
    const call = { type: "tool_use", id: "toolu_1", name: "get_weather", input: { city: "Paris" } };
    const result = { type: "tool_result", tool_use_id: "toolu_1", content: toolResult };
    const told = [
      ...messages,
      { role: "assistant", content: [call] },
      { role: "user", content: [result] },
    ];
    return heard(await client.messages.create({ ...asked(model, { tools: true }), messages: told }));
  },
});

test("tokens are counted", async () => {
  const counted = await client.messages.countTokens({ model: "scenario-plain", messages });
  assert.equal(counted.input_tokens, 9);
});

test("headers say who served", async () => {
  const { response } = await client.messages.create(asked("scenario-plain")).withResponse();
  assert.equal(response.headers.get("x-provider"), "anthropic");
  assert.equal(response.headers.get("x-using-byok"), "true");
});

test("a wrong access key is 401", async () => {
  const call = () => as("kw_wrong").messages.create(asked("scenario-plain"));
  await raised(Anthropic.AuthenticationError, call);
});

test("an unknown model is 404", async () => {
  await raised(Anthropic.NotFoundError, () => client.messages.create(asked("nobody/no-such-model")));
});

test("a stream that is cut throws", async () => {
  const stream = client.messages.stream(asked("scenario-cut"));
  await raised(Anthropic.AnthropicError, () => stream.finalMessage());
});
