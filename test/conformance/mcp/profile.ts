import { setTimeout as sleep } from "node:timers/promises";
import { inputRequired, MissingRequiredClientCapabilityError } from "@modelcontextprotocol/server";
import { CidcastError } from "../../../src/core/index.ts";
import type { McpExtensions, PromptDefinition, ResourceProvider, Tool } from "../../../src/mcp/index.ts";
import { PNG, SCHEMA_2020_12, WAV } from "./fixture-data.ts";
import { declaredCapabilities, fixture, text } from "./fixture.ts";
import { inputTools } from "./profile-input.ts";

const image = { type: "image", data: PNG, mimeType: "image/png" } as const;

/** What the suite lets change while a client listens. */
export interface Triggers {
  toolsChanged(): void;
  promptsChanged(): void;
}

function plainTools(triggers: Triggers): Tool[] {
  return [
    fixture("test_simple_text", () => text("This is a simple text response for testing.")),
    fixture("test_image_content", () => ({ content: [image] })),
    fixture("test_audio_content", () => ({ content: [{ type: "audio", data: WAV, mimeType: "audio/wav" }] })),
    fixture("test_embedded_resource", () => ({
      content: [
        {
          type: "resource",
          resource: {
            uri: "test://embedded-resource",
            mimeType: "text/plain",
            text: "This is an embedded resource content.",
          },
        },
      ],
    })),
    fixture("test_multiple_content_types", () => ({
      content: [
        { type: "text", text: "Multiple content types test:" },
        image,
        {
          type: "resource",
          resource: {
            uri: "test://mixed-content-resource",
            mimeType: "application/json",
            text: JSON.stringify({ test: "data", value: 123 }),
          },
        },
      ],
    })),
    fixture("test_tool_with_logging", async (_, context) => {
      await context.log("info", "Tool execution started");
      await sleep(50);
      await context.log("info", "Tool processing data");
      await sleep(50);
      await context.log("info", "Tool execution completed");
      return text("Logged three messages");
    }),
    fixture("test_logging_tool", async (_, context) => {
      await context.log("info", "A message");
      return text("Logged one message");
    }),
    fixture("test_error_handling", () => {
      throw new CidcastError("INVALID_REQUEST", "This tool intentionally returns an error for testing");
    }),
    fixture("test_tool_with_progress", async (_, context) => {
      for (const done of [0, 50, 100]) {
        await context.progress(done, 100);
        await sleep(50);
      }
      return text("Done");
    }),
    fixture("test_reconnection", async (_, { protocol }) => {
      await sleep(50);
      protocol.http?.closeSSE?.();
      await sleep(100);
      return text("Reconnected");
    }),
    fixture("test_missing_capability", (_, context) => {
      if (declaredCapabilities(context).sampling === undefined) {
        throw new MissingRequiredClientCapabilityError({ requiredCapabilities: { sampling: {} } });
      }
      return text("The client can sample");
    }),
    fixture("test_streaming_elicitation", async (_, context) => {
      await context.progress(1, 2);
      return inputRequired({
        inputRequests: {
          name: inputRequired.elicit({
            message: "Name?",
            requestedSchema: { type: "object", properties: {} },
          }),
        },
      });
    }),
    fixture("test_trigger_tool_change", () => {
      triggers.toolsChanged();
      return text("The list of tools has changed");
    }),
    fixture("test_trigger_prompt_change", () => {
      triggers.promptsChanged();
      return text("The list of prompts has changed");
    }),
    fixture("json_schema_2020_12_tool", () => text("ok"), SCHEMA_2020_12),
  ];
}

const resources: ResourceProvider = {
  templates: [{ uriTemplate: "test://template/{id}/data", name: "template", mimeType: "application/json" }],
  list: async () => [
    { uri: "test://static-text", name: "static-text", description: "A text", mimeType: "text/plain" },
    { uri: "test://static-binary", name: "static-binary", description: "A picture", mimeType: "image/png" },
    { uri: "test://watched-resource", name: "watched-resource", mimeType: "text/plain" },
  ],
  async read(uri) {
    if (uri === "test://static-text") {
      return {
        contents: [{ uri, mimeType: "text/plain", text: "This is the content of the static text resource." }],
      };
    }
    if (uri === "test://static-binary") return { contents: [{ uri, mimeType: "image/png", blob: PNG }] };
    if (uri === "test://watched-resource")
      return { contents: [{ uri, mimeType: "text/plain", text: "Watched" }] };
    const id = /^test:\/\/template\/([^/]+)\/data$/.exec(uri)?.[1];
    if (id === undefined) return undefined;
    const data = { id, templateTest: true, data: `Data for ID: ${id}` };
    return { contents: [{ uri, mimeType: "application/json", text: JSON.stringify(data) }] };
  },
};

const said = (content: object) => ({
  role: "user" as const,
  content: content as { type: "text"; text: string },
});

const prompts: PromptDefinition[] = [
  {
    prompt: { name: "test_simple_prompt", description: "A prompt without arguments" },
    get: async () => ({ messages: [said({ type: "text", text: "This is a simple prompt for testing." })] }),
  },
  {
    prompt: {
      name: "test_prompt_with_arguments",
      description: "A prompt with arguments",
      arguments: [
        { name: "arg1", description: "First", required: true },
        { name: "arg2", description: "Second", required: true },
      ],
    },
    get: async ({ arg1, arg2 }) => ({
      messages: [said({ type: "text", text: `Prompt with arguments: arg1='${arg1}', arg2='${arg2}'` })],
    }),
  },
  {
    prompt: {
      name: "test_prompt_with_embedded_resource",
      description: "A prompt with a resource",
      arguments: [{ name: "resourceUri", description: "The resource", required: true }],
    },
    get: async ({ resourceUri }) => ({
      messages: [
        said({
          type: "resource",
          resource: {
            uri: resourceUri,
            mimeType: "text/plain",
            text: "Embedded resource content for testing.",
          },
        }),
        said({ type: "text", text: "Please process the embedded resource above." }),
      ],
    }),
  },
  {
    prompt: { name: "test_prompt_with_image", description: "A prompt with a picture" },
    get: async () => ({
      messages: [said(image), said({ type: "text", text: "Please analyze the image above." })],
    }),
  },
  {
    prompt: { name: "test_input_required_result_prompt", description: "A prompt that asks" },
    async get(_, { protocol }) {
      const answer = protocol.mcpReq.inputResponses?.["user_context"] as
        | { content?: { context?: string } }
        | undefined;
      if (answer?.content?.context === undefined) {
        return inputRequired({
          inputRequests: {
            user_context: inputRequired.elicit({
              message: "What context should the prompt use?",
              requestedSchema: {
                type: "object",
                properties: { context: { type: "string" } },
                required: ["context"],
              },
            }),
          },
        });
      }
      return { messages: [said({ type: "text", text: `Context: ${answer.content.context}` })] };
    },
  },
];

/** Tools, resources and prompts that the conformance suites ask for. Never part of the product's own. */
export function conformanceProfile(triggers: Triggers): McpExtensions {
  return {
    tools: [...plainTools(triggers), ...inputTools()],
    resources: [resources],
    prompts,
    async complete({ argument, value }) {
      const all = argument === "arg1" ? ["paris", "park", "party"] : [];
      const values = all.filter(entry => entry.startsWith(value));
      return { values, total: values.length, hasMore: false };
    },
  };
}
