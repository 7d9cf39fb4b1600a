// Vercel's AI SDK with nothing changed but `baseURL` and `apiKey`, by each of its providers that speak a
// form of ours.

import assert from "node:assert/strict";
import { test } from "node:test";

import { createAnthropic } from "@ai-sdk/anthropic";
import { createOpenAI } from "@ai-sdk/openai";
import { createOpenAICompatible } from "@ai-sdk/openai-compatible";
import { APICallError, embedMany, generateText, jsonSchema, streamText, tool } from "ai";

import { conversations, key, question, schema, toolResult, tools as named, url } from "./conversations.mjs";

globalThis.AI_SDK_LOG_WARNINGS = false;

const settings = { baseURL: `${url}/v1`, apiKey: key };
const openai = createOpenAI(settings);
const compatible = createOpenAICompatible({ ...settings, name: "keyward", includeUsage: true });
const anthropic = createAnthropic(settings);

const tools = Object.fromEntries(
  Object.entries(named).map(([name, argument]) => [
    name,
    tool({ description: name, inputSchema: jsonSchema(schema(argument)) }),
  ]),
);

const asked = (model, more = {}) => ({
  model,
  prompt: question,
  maxRetries: 0,
  ...(more.tools ? { tools } : {}),
});

async function heard(result, pieces = 1) {
  const { inputTokens, outputTokens } = await result.usage;
  return {
    text: await result.text,
    calls: (await result.toolCalls).map((call) => [call.toolName, call.input]),
    stop: await result.finishReason,
    usage: [inputTokens, outputTokens],
    pieces,
  };
}

function cases(name, provider) {
  conversations(name, {
    stops: ["stop", "tool-calls"],
    refused: APICallError,
    limited: APICallError,
    status: (error) => error.statusCode,
    ask: async (model, more) => heard(await generateText(asked(provider(model), more))),
    stream: async (model, more) => {
      let pieces = 0;
      const result = streamText(asked(provider(model), more));
      for await (const _ of result.textStream) pieces += 1;
      return heard(result, pieces);
    },
    answerTool: async (model) => {
      const call = { toolCallId: "call_1", toolName: "get_weather" };
      const messages = [
        { role: "user", content: question },
        { role: "assistant", content: [{ type: "tool-call", ...call, input: { city: "Paris" } }] },
        {
          role: "tool",
          content: [{ type: "tool-result", ...call, output: { type: "text", value: toolResult } }],
        },
      ];
      return heard(await generateText({ model: provider(model), messages, tools, maxRetries: 0 }));
    },
  });
}

cases("openai", (model) => openai.chat(model));
cases("openai responses", (model) => openai.responses(model));
cases("openai-compatible", (model) => compatible(model));
cases("anthropic", (model) => anthropic(model));

test("texts are embedded", async () => {
  const model = openai.embedding("scenario-embedding");
  const { embeddings } = await embedMany({ model, values: ["a", "b"], maxRetries: 0 });
  assert.deepEqual(embeddings, [[0.25, -0.5], [0.25, -0.5]]);
});
