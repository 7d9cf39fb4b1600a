// The official OpenAI SDK for Node with nothing changed but `baseURL` and `apiKey`. Models named
// `scenario-…` are the scripted upstream's, behind a key of the user's own.

import assert from "node:assert/strict";
import { test } from "node:test";

import OpenAI from "openai";
import { zodResponseFormat } from "openai/helpers/zod";
import { z } from "zod";

import {
  conversations,
  key,
  question,
  raised,
  schema,
  toolResult,
  tools as named,
  url,
} from "./conversations.mjs";

const { SDK_POOR_KEY, SDK_ADMIN_KEY } = process.env;
const messages = [{ role: "user", content: question }];
const tools = Object.entries(named).map(([name, argument]) => ({
  type: "function",
  function: { name, parameters: schema(argument) },
}));
const Person = z.object({ name: z.string(), age: z.number() });

const as = (apiKey, more = {}) => new OpenAI({ baseURL: `${url}/v1`, apiKey, maxRetries: 0, ...more });
const client = as(key);
const admin = as(SDK_ADMIN_KEY);

const ask = (scenario, more = {}, options = {}) =>
  client.chat.completions.create({ model: `scenario-${scenario}`, messages, ...more }, options);

async function collect(stream) {
  const chunks = [];
  for await (const chunk of stream) chunks.push(chunk);
  return chunks;
}

const textOf = (chunks) => chunks.map((c) => c.choices[0]?.delta?.content ?? "").join("");

function callsOf(chunks) {
  const calls = [];
  for (const call of chunks.flatMap((c) => c.choices[0]?.delta?.tool_calls ?? [])) {
    const [name, args] = calls[call.index] ?? ["", ""];
    calls[call.index] = [name + (call.function.name ?? ""), args + (call.function.arguments ?? "")];
  }
  return calls;
}

test("chat", async () => {
  const answer = await ask("plain");
  assert.equal(answer.choices[0].message.content, "one two three");
  assert.equal(answer.choices[0].finish_reason, "stop");
  assert.deepEqual([answer.usage.prompt_tokens, answer.usage.completion_tokens], [5, 3]);
});

test("headers say who served, with whose key, and what it cost", async () => {
  const { data, response } = await ask("plain").withResponse();
  assert.equal(response.headers.get("x-using-byok"), "true");
  assert.equal(response.headers.get("x-provider"), "openai");
  assert.equal(response.headers.get("x-keyward-key-source"), "user");
  assert.equal(response.headers.get("x-credits-charged"), "0.00");
  assert.equal(response.headers.get("x-provider-request-id"), "req-scenario");
  assert.equal(response.headers.get("x-request-id"), data._request_id);
});

test("the platform's key is paid for in credits", async () => {
  const call = admin.chat.completions.create({ model: "sandbox/echo", messages });
  const { response } = await call.withResponse();
  assert.equal(response.headers.get("x-using-byok"), "false");
  assert.equal(response.headers.get("x-credits-charged"), "0.000009");
});

test("a stream without usage", async () => {
  const chunks = await collect(await ask("plain", { stream: true }));
  assert.equal(textOf(chunks), "one two three");
  assert.ok(chunks.every((chunk) => !chunk.usage));
  assert.equal(chunks.at(-1).choices[0].finish_reason, "stop");
});

test("a stream with usage", async () => {
  const asked = { stream: true, stream_options: { include_usage: true } };
  const chunks = await collect(await ask("plain", asked));
  assert.deepEqual(chunks.at(-1).choices, []);
  assert.equal(chunks.at(-1).usage.total_tokens, 8);
});

test("a long answer, plain and streamed", async () => {
  const plain = (await ask("long")).choices[0].message.content;
  assert.equal(plain.split(" ").length, 2000);
  assert.equal(textOf(await collect(await ask("long", { stream: true }))), plain);
});

test("a tool call", async () => {
  const choice = (await ask("tools", { tools })).choices[0];
  assert.equal(choice.finish_reason, "tool_calls");
  const call = choice.message.tool_calls[0].function;
  assert.deepEqual([call.name, call.arguments], ["get_weather", '{"city":"Paris"}']);
});

test("parallel tool calls, streamed", async () => {
  const calls = callsOf(await collect(await ask("parallel", { tools, stream: true })));
  assert.deepEqual(calls, [
    ["get_weather", '{"city":"Paris"}'],
    ["get_time", '{"zone":"Europe/Paris"}'],
  ]);
});

test("structured output is parsed", async () => {
  const answer = await client.chat.completions.parse({
    model: "scenario-schema",
    messages,
    response_format: zodResponseFormat(Person, "person"),
  });
  assert.deepEqual(answer.choices[0].message.parsed, { name: "Ada", age: 36 });
});

test("structured output is parsed from a stream", async () => {
  const stream = client.chat.completions.stream({
    model: "scenario-schema",
    messages,
    response_format: zodResponseFormat(Person, "person"),
  });
  const answer = await stream.finalChatCompletion();
  assert.deepEqual(answer.choices[0].message.parsed, { name: "Ada", age: 36 });
});

test("a refusal", async () => {
  const { message } = (await ask("refusal")).choices[0];
  assert.deepEqual([message.refusal, message.content], ["I will not.", null]);
});

test("log probabilities", async () => {
  const choice = (await ask("logprobs", { logprobs: true })).choices[0];
  assert.equal(choice.logprobs.content[0].logprob, -0.25);
});

test("an image arrives whole", async () => {
  const url = `data:image/png;base64,${"QUJD".repeat(1000)}`;
  const content = [{ type: "image_url", image_url: { url } }];
  const answer = await ask("image", { messages: [{ role: "user", content }] });
  assert.equal(answer.choices[0].message.content, "3000 bytes");
});

test("list and retrieve models", async () => {
  const ids = [];
  for await (const model of client.models.list()) ids.push(model.id);
  assert.ok(ids.includes("sandbox/echo") && ids.includes("openai/gpt-4o"));
  assert.equal((await client.models.retrieve("sandbox/echo")).id, "sandbox/echo");
  await raised(OpenAI.NotFoundError, () => client.models.retrieve("nobody/no-such-model"));
});

test("a wrong access key is 401 and not repeated", async () => {
  const wrong = as("kw_wrong", { maxRetries: 2 });
  const error = await raised(OpenAI.AuthenticationError, () =>
    wrong.chat.completions.create({ model: "scenario-plain", messages }),
  );
  assert.equal(error.code, "invalid_access_key");
  assert.equal(error.headers.get("x-should-retry"), "false");
});

test("no credits is 402", async () => {
  const poor = as(SDK_POOR_KEY, { maxRetries: 2 });
  const error = await raised(OpenAI.APIError, () =>
    poor.chat.completions.create({ model: "sandbox/echo", messages }),
  );
  assert.deepEqual([error.status, error.code], [402, "insufficient_credits"]);
  assert.equal(error.headers.get("x-should-retry"), "false");
});

test("an unknown model is 404", async () => {
  const error = await raised(OpenAI.NotFoundError, () =>
    client.chat.completions.create({ model: "nobody/no-such-model", messages }),
  );
  assert.equal(error.code, "model_not_found");
});

test("a malformed request is 400", async () => {
  await raised(OpenAI.BadRequestError, () => ask("plain", { messages: "text" }));
});

test("the provider's own 400 is passed on", async () => {
  const error = await raised(OpenAI.BadRequestError, () => ask("bad"));
  assert.equal(error.code, "scenario_bad");
});

test("the provider's limit is 429 with its retry-after", async () => {
  const error = await raised(OpenAI.RateLimitError, () => ask("limited"));
  assert.equal(error.code, "provider_rate_limited");
  const seconds = Number(error.headers.get("retry-after"));
  assert.ok(seconds > 0 && seconds <= 7, `retry-after: ${seconds}`);
});

test("a server error is repeated, and then fine", async () => {
  const once = await raised(OpenAI.InternalServerError, () => ask("flaky_node_once"));
  assert.equal(once.status, 502);
  const answer = await ask("flaky_node", {}, { maxRetries: 2 });
  assert.equal(answer.choices[0].message.content, "attempt 2");
});

test("a stream that is cut throws", async () => {
  const stream = await ask("cut", { stream: true });
  const seen = [];
  await raised(OpenAI.OpenAIError, async () => {
    for await (const chunk of stream) seen.push(chunk);
  });
  assert.equal(textOf(seen), "one two ");
});

test("a time-out", async () => {
  await raised(OpenAI.APIConnectionTimeoutError, () => ask("slow", {}, { timeout: 500 }));
});

test("an abort", async () => {
  const controller = new AbortController();
  const stream = await ask("trickle", { stream: true }, { signal: controller.signal });
  let text = "";
  const start = Date.now();
  for await (const chunk of stream) {
    text += textOf([chunk]);
    if (text) controller.abort();
  }
  assert.ok(text.startsWith("drop ") && Date.now() - start < 5000, text);
});

test("a key for this call alone", async () => {
  const headers = { "x-byok-api-key": "sk-sandbox-mine" };
  const call = admin.chat.completions.create({ model: "sandbox/echo", messages }, { headers });
  const { response } = await call.withResponse();
  assert.equal(response.headers.get("x-keyward-key-source"), "inline");
  assert.equal(response.headers.get("x-credits-charged"), "0.00");
});

test("texts are embedded", async () => {
  const input = ["a", "b"];
  const answer = await client.embeddings.create({ model: "scenario-embedding", input });
  assert.deepEqual(answer.data.map((entry) => entry.embedding), [[0.25, -0.5], [0.25, -0.5]]);
  assert.equal(answer.usage.prompt_tokens, 4);
});

test("an image is made", async () => {
  const answer = await client.images.generate({ model: "scenario-image", prompt: "A key" });
  assert.equal(answer.data[0].b64_json, "YW4gaW1hZ2U=");
  assert.equal(answer.usage.output_tokens, 16);
});

test("a text is spoken", async () => {
  const answer = await client.audio.speech.create({ model: "scenario-voice", voice: "alloy", input: "hi" });
  assert.equal(Buffer.from(await answer.arrayBuffer()).subarray(0, 3).toString(), "ID3");
});

test("a file is transcribed whole", async () => {
  const file = await OpenAI.toFile(Buffer.alloc(76_800, 7), "a.mp3");
  const answer = await client.audio.transcriptions.create({ model: "scenario-ears", file });
  assert.equal(answer.text, "76800 bytes");
});

function heard({ choices, usage }, pieces = 1) {
  const [{ message, finish_reason }] = choices;
  return {
    text: message.content ?? "",
    calls: (message.tool_calls ?? []).map((call) => [call.function.name, JSON.parse(call.function.arguments)]),
    stop: finish_reason,
    usage: [usage.prompt_tokens, usage.completion_tokens],
    pieces,
  };
}

conversations("chat", {
  stops: ["stop", "tool_calls"],
  refused: OpenAI.BadRequestError,
  limited: OpenAI.RateLimitError,
  ask: async (model, more = {}) =>
    heard(await client.chat.completions.create({ model, messages, ...(more.tools ? { tools } : {}) })),
  stream: async (model, more = {}) => {
    let pieces = 0;
    const asked = { model, messages, stream_options: { include_usage: true } };
    const stream = client.chat.completions.stream({ ...asked, ...(more.tools ? { tools } : {}) });
    for await (const chunk of stream) pieces += chunk.choices[0]?.delta?.content ? 1 : 0;
    return heard(await stream.finalChatCompletion(), pieces);
  },
  answerTool: async (model) => {
    const call = { name: "get_weather", arguments: '{"city":"Paris"}' };
    const told = [
      ...messages,
      { role: "assistant", content: null, tool_calls: [{ id: "call_1", type: "function", function: call }] },
      { role: "tool", tool_call_id: "call_1", content: toolResult },
    ];
    return heard(await client.chat.completions.create({ model, messages: told, tools }));
  },
});
