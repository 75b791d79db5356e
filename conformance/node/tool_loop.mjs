// The openai package for node drives a streamed tool loop: the model is made to call, the result goes back, it answers.
// node tool_loop.mjs http://127.0.0.1:PORT/v1 MODEL
import assert from "node:assert";
import OpenAI from "openai";

const [baseURL, model] = process.argv.slice(2);
const client = new OpenAI({ baseURL, apiKey: "none" });
const tools = [{
  type: "function",
  function: {
    name: "clock",
    description: "the time in a zone",
    parameters: {
      type: "object",
      properties: { zone: { enum: ["utc", "local"] } },
      required: ["zone"],
      additionalProperties: false,
    },
  },
}];
const messages = [{ role: "user", content: "What is the time in UTC?" }];
let n_chunks = 0;

async function turn(tool_choice) {
  const stream = client.chat.completions.stream({ model, messages, tools, tool_choice, parallel_tool_calls: false, max_tokens: 1500, seed: 1 });
  for await (const chunk of stream) n_chunks += chunk.choices.length;
  return (await stream.finalChatCompletion()).choices[0];
}

const first = await turn("required");
assert.equal(first.finish_reason, "tool_calls");
// As the client gives it, with its own reading of the content (`parsed`).
messages.push(first.message);
for (const call of first.message.tool_calls) {
  const { zone } = JSON.parse(call.function.arguments);
  assert.ok(["utc", "local"].includes(zone));
  messages.push({ role: "tool", tool_call_id: call.id, content: "12:00" });
}
const second = await turn("none");
assert.ok(["stop", "length"].includes(second.finish_reason));
assert.equal(typeof second.message.content, "string");

const models = await client.models.list();
assert.ok(models.data.some((m) => m.id === model));
await assert.rejects(client.chat.completions.create({ model: "none", messages }), OpenAI.NotFoundError);
console.log(`openai for node: a streamed tool loop of two turns, ${n_chunks} chunks`);
