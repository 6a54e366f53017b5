import { arch, cpus, freemem, loadavg, platform, release, totalmem, uptime } from "node:os";
import { z } from "zod";
import type { Clock } from "../../../core/index.ts";
import { MAX_ECHO_LENGTH, MAX_EXPRESSION_LENGTH } from "../../limits.ts";
import { defineTool } from "../../server/define-tool.ts";
import type { Tool } from "../../types.ts";
import { calculate } from "./calculator-parser.ts";

const READ_ONLY = { readOnlyHint: true, openWorldHint: false } as const;

/** `echo`: no scope. */
export const echoTool: Tool = defineTool({
  name: "echo",
  title: "Echo",
  description: "Echo back a message",
  scopes: [],
  annotations: { ...READ_ONLY, idempotentHint: true },
  input: z.object({ message: z.string().max(MAX_ECHO_LENGTH).describe("The message to echo back") }),
  run: async ({ message }) => message,
});

/** `current_time`: scope basic. */
export function currentTimeTool(clock: Clock): Tool {
  return defineTool({
    name: "current_time",
    title: "Current time",
    description: "Get the current server time",
    scopes: ["basic"],
    annotations: READ_ONLY,
    input: z.object({
      format: z
        .enum(["iso", "timestamp", "human"])
        .default("iso")
        .describe("How to write the time; UTC in all of them"),
    }),
    output: z.object({ time: z.string(), format: z.string(), unix_seconds: z.number() }),
    run: async ({ format }) => {
      const now = new Date(clock.now());
      const unixSeconds = now.getTime() / 1000;
      const texts = {
        iso: now.toISOString(),
        timestamp: String(unixSeconds),
        human: now.toUTCString(),
      };
      return { text: texts[format], structured: { time: texts[format], format, unix_seconds: unixSeconds } };
    },
  });
}

/** `calculator`: scope basic. */
export const calculatorTool: Tool = defineTool({
  name: "calculator",
  title: "Calculator",
  description: "Perform basic mathematical calculations: numbers, + - * / % **, parentheses",
  scopes: ["basic"],
  annotations: { ...READ_ONLY, idempotentHint: true },
  input: z.object({
    expression: z.string().min(1).max(MAX_EXPRESSION_LENGTH).describe("For instance 2 + 2 * 3"),
  }),
  output: z.object({ expression: z.string(), result: z.number() }),
  run: async ({ expression }) => {
    const result = calculate(expression);
    return { text: String(result), structured: { expression, result } };
  },
});

/** `system_info`: scope admin. */
export function systemInfoTool(version: string): Tool {
  return defineTool({
    name: "system_info",
    title: "System information",
    description: "Get basic system information",
    scopes: ["admin"],
    annotations: READ_ONLY,
    input: z.object({}),
    output: z.object({
      platform: z.string(),
      release: z.string(),
      architecture: z.string(),
      node_version: z.string(),
      server_version: z.string(),
      cpu_count: z.number(),
      load_average: z.array(z.number()),
      memory_total_bytes: z.number(),
      memory_free_bytes: z.number(),
      process_memory_bytes: z.number(),
      system_uptime_seconds: z.number(),
      process_uptime_seconds: z.number(),
    }),
    run: async () => ({
      structured: {
        platform: platform(),
        release: release(),
        architecture: arch(),
        node_version: process.version,
        server_version: version,
        cpu_count: cpus().length,
        load_average: loadavg(),
        memory_total_bytes: totalmem(),
        memory_free_bytes: freemem(),
        process_memory_bytes: process.memoryUsage.rss(),
        system_uptime_seconds: Math.round(uptime()),
        process_uptime_seconds: Math.round(process.uptime()),
      },
    }),
  });
}
