// What every SDK is asked, whichever form it speaks and whichever form its provider does; the same
// cases as those in Python.

import assert from "node:assert/strict";
import { test } from "node:test";

export const { SDK_URL: url, SDK_KEY: key } = process.env;
export const question = "one two three";
/** The tools, and the one argument of each. */
export const tools = { get_weather: "city", get_time: "zone" };
/** Of a call of `get_weather`. */
export const toolResult = "18 degrees";

export const schema = (argument) => ({
  type: "object",
  properties: { [argument]: { type: "string" } },
  required: [argument],
});

const weather = ["get_weather", { city: "Paris" }];
const time = ["get_time", { zone: "Europe/Paris" }];

const cases = {
  "plain": async ({ ask, stops }, model) => {
    const { text, calls, stop, usage } = await ask(`${model}plain`);
    assert.deepEqual([text, calls, stop, usage], ["one two three", [], stops[0], [5, 3]]);
  },
  "streamed": async ({ stream, stops }, model) => {
    const { text, calls, stop, usage, pieces } = await stream(`${model}plain`);
    assert.deepEqual([text, calls, stop, usage], ["one two three", [], stops[0], [5, 3]]);
    assert.ok(pieces >= 3, `${pieces} pieces`);
  },
  "a tool call": async ({ ask, stops }, model) => {
    const { calls, stop } = await ask(`${model}tools`, { tools: true });
    assert.deepEqual([calls, stop], [[weather], stops[1]]);
  },
  "parallel tool calls, streamed": async ({ stream, stops }, model) => {
    const { calls, stop } = await stream(`${model}parallel`, { tools: true });
    assert.deepEqual([calls, stop], [[weather, time], stops[1]]);
  },
  "a tool's result": async ({ answerTool, stops }, model) => {
    const { text, stop } = await answerTool(`${model}tools`);
    assert.deepEqual([text, stop], [`It is ${toolResult}.`, stops[0]]);
  },
  "a bad request": async ({ ask, refused, status }, model) => {
    const error = await raised(refused, () => ask(`${model}bad`));
    assert.match(error.message, /does not like this request/);
    if (status) assert.equal(status(error), 400);
  },
  "a limit": async ({ ask, limited, status }, model) => {
    const error = await raised(limited, () => ask(`${model}limited`));
    assert.match(error.message, /Rate limit reached/);
    if (status) assert.equal(status(error), 429);
  },
};

/** The error of a call, which must be of this class. */
export async function raised(kind, call) {
  try {
    await call();
  } catch (error) {
    assert.ok(error instanceof kind, `${error.constructor.name}: ${error.message}`);
    return error;
  }
  return assert.fail("nothing was thrown");
}

/**
 * Every case, at a provider of each form. `how` gives `ask`, `stream` and `answerTool`, which give what
 * was heard; the names of an answer's end and of tools' (`stops`); the errors of a bad request and of a
 * limit (`refused`, `limited`), and where those are of one class, their `status`.
 */
export function conversations(name, how) {
  for (const provider of ["openai", "anthropic", "google"]) {
    for (const [title, check] of Object.entries(cases)) {
      test(`${name} at ${provider}: ${title}`, () => check(how, `${provider}/scenario-`));
    }
  }
}
