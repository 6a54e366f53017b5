import { inputRequired } from "@modelcontextprotocol/server";
import { CidcastError } from "../../../src/core/index.ts";
import type { RequestContext, Tool } from "../../../src/mcp/index.ts";
import { declaredCapabilities, fixture, text } from "./fixture.ts";

/** Tools of the suites that ask the client for input, in the way of each era. */
export function inputTools(): Tool[] {
  return [...askingTools(), ...roundTools()];
}

const field = (name: string, type: "string" | "boolean" = "string") => ({
  type: "object" as const,
  properties: { [name]: type === "string" ? { type: "string" as const } : { type: "boolean" as const } },
  required: [name],
});

/** Requests from the server, as until 2025-11-25. */
function askingTools(): Tool[] {
  return [
    fixture("test_sampling", async ({ prompt }, { protocol }) => {
      const reply = await protocol.mcpReq.requestSampling({
        messages: [{ role: "user", content: { type: "text", text: String(prompt) } }],
        maxTokens: 100,
      });
      const block = Array.isArray(reply.content) ? reply.content[0] : reply.content;
      return text(`LLM response: ${block?.type === "text" ? block.text : ""}`);
    }),
    fixture("test_elicitation", async ({ message }, { protocol }) => {
      const reply = await protocol.mcpReq.elicitInput({
        message: String(message),
        requestedSchema: {
          type: "object",
          properties: {
            username: { type: "string", description: "User's response" },
            email: { type: "string", description: "User's email address" },
          },
          required: ["username", "email"],
        },
      });
      return text(`User response: action=${reply.action}, content=${JSON.stringify(reply.content ?? {})}`);
    }),
    fixture("test_elicitation_sep1034_defaults", async (_, { protocol }) => {
      const reply = await protocol.mcpReq.elicitInput({
        message: "Defaults",
        requestedSchema: {
          type: "object",
          properties: {
            name: { type: "string", default: "John Doe" },
            age: { type: "integer", default: 30 },
            score: { type: "number", default: 95.5 },
            status: { type: "string", enum: ["active", "inactive", "pending"], default: "active" },
            verified: { type: "boolean", default: true },
          },
        },
      });
      return text(
        `Elicitation completed: action=${reply.action}, content=${JSON.stringify(reply.content ?? {})}`,
      );
    }),
    fixture("test_elicitation_sep1330_enums", async (_, { protocol }) => {
      const options = ["option1", "option2", "option3"];
      const titled = (noun: string) =>
        ["First", "Second", "Third"].map((title, n) => ({
          const: `value${n + 1}`,
          title: `${title} ${noun}`,
        }));
      const reply = await protocol.mcpReq.elicitInput({
        message: "Enums",
        requestedSchema: {
          type: "object",
          properties: {
            untitledSingle: { type: "string", enum: options },
            titledSingle: { type: "string", oneOf: titled("Option") },
            legacyEnum: {
              type: "string",
              enum: ["opt1", "opt2", "opt3"],
              enumNames: ["Option One", "Option Two", "Option Three"],
            },
            untitledMulti: { type: "array", items: { type: "string", enum: options } },
            titledMulti: { type: "array", items: { anyOf: titled("Choice") } },
          },
        },
      });
      return text(
        `Elicitation completed: action=${reply.action}, content=${JSON.stringify(reply.content ?? {})}`,
      );
    }),
  ];
}

const elicit = (message: string, name: string, type: "string" | "boolean" = "string") =>
  inputRequired.elicit({ message, requestedSchema: field(name, type) });
const sample = (question: string, maxTokens: number) =>
  inputRequired.createMessage({
    messages: [{ role: "user", content: { type: "text", text: question } }],
    maxTokens,
  });
const answers = ({ protocol }: RequestContext) => protocol.mcpReq.inputResponses ?? {};
/** A field that the user filled in. */
const filled = (answer: unknown, name: string): unknown => {
  const { action, content } = (answer ?? {}) as { action?: string; content?: Record<string, unknown> };
  return action === "accept" ? content?.[name] : undefined;
};

/** Results that ask, as from 2026-07-28. */
function roundTools(): Tool[] {
  return [
    fixture("test_input_required_result_elicitation", (_, context) => {
      const name = filled(answers(context)["user_name"], "name");
      if (typeof name === "string") return text(`Hello, ${name}!`);
      return inputRequired({ inputRequests: { user_name: elicit("What is your name?", "name") } });
    }),
    fixture("test_input_required_result_sampling", (_, context) => {
      const reply = answers(context)["capital_question"] as { content?: { text?: string } } | undefined;
      if (reply?.content !== undefined) return text(`The answer: ${reply.content.text}`);
      return inputRequired({
        inputRequests: { capital_question: sample("What is the capital of France?", 100) },
      });
    }),
    fixture("test_input_required_result_list_roots", (_, context) => {
      const reply = answers(context)["client_roots"] as { roots?: { uri: string }[] } | undefined;
      if (reply?.roots !== undefined) return text(`Roots: ${reply.roots.map(root => root.uri).join(", ")}`);
      return inputRequired({ inputRequests: { client_roots: inputRequired.listRoots() } });
    }),
    ...(["request_state", "tampered_state"] as const).map(kind =>
      fixture(`test_input_required_result_${kind}`, async (_, context) => {
        const state = context.protocol.mcpReq.requestState<{ round: number }>();
        if (state?.round === 1 && answers(context)["confirm"] !== undefined) return text("state-ok");
        return inputRequired({
          inputRequests: { confirm: elicit("Please confirm", "ok", "boolean") },
          requestState: await context.sealState({ round: 1 }),
        });
      }),
    ),
    fixture("test_input_required_result_multiple_inputs", async (_, context) => {
      const given = answers(context);
      if (["user_name", "greeting", "client_roots"].every(key => given[key] !== undefined))
        return text("All are here");
      return inputRequired({
        inputRequests: {
          user_name: elicit("What is your name?", "name"),
          greeting: sample("Generate a greeting", 50),
          client_roots: inputRequired.listRoots(),
        },
        requestState: await context.sealState({ asked: true }),
      });
    }),
    fixture("test_input_required_result_multi_round", async (_, context) => {
      const given = answers(context);
      const state = context.protocol.mcpReq.requestState<{ name?: string }>();
      if (given["step2"] !== undefined && state?.name !== undefined) {
        return text(`${state.name} likes ${String(filled(given["step2"], "color"))}`);
      }
      if (given["step1"] !== undefined) {
        return inputRequired({
          inputRequests: { step2: elicit("Step 2: What is your favorite color?", "color") },
          requestState: await context.sealState({
            name: JSON.stringify(filled(given["step1"], "name") ?? "somebody"),
          }),
        });
      }
      return inputRequired({
        inputRequests: { step1: elicit("Step 1: What is your name?", "name") },
        requestState: await context.sealState({ round: 1 }),
      });
    }),
    fixture("test_input_required_result_capabilities", (_, context) => {
      const declared = declaredCapabilities(context);
      if (Object.keys(answers(context)).length > 0) return text("Thanks");
      const inputRequests = {
        ...(declared.elicitation !== undefined && { name: elicit("What is your name?", "name") }),
        ...(declared.sampling !== undefined && { greeting: sample("Generate a greeting", 50) }),
        ...(declared.roots !== undefined && { roots: inputRequired.listRoots() }),
      };
      if (Object.keys(inputRequests).length === 0)
        throw new CidcastError("INVALID_REQUEST", "Nothing can be asked");
      return inputRequired({ inputRequests });
    }),
  ];
}
