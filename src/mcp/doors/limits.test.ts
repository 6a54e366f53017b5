import { describe, expect, test } from "vitest";
import { ownerPrincipal } from "../../core/index.ts";
import {
  MAX_ECHO_LENGTH,
  MAX_HTTP_SESSIONS,
  MAX_RESOURCE_SUBSCRIPTIONS,
  MAX_STORED_EVENT_BYTES,
  MAX_STORED_EVENTS,
  MAX_TOOLS,
} from "../limits.ts";
import { type Json, startTestMcp } from "../testing.ts";
import { createEventStore } from "./event-store.ts";

const notification = (text: string) =>
  ({ jsonrpc: "2.0", method: "notifications/x", params: { text } }) as const;

describe("limits of the doors", () => {
  test("a session keeps its last events, by number and by bytes, and replays those of one stream", async () => {
    const store = createEventStore();
    const first = await store.storeEvent("a", notification("0"));
    for (let n = 0; n < MAX_STORED_EVENTS; n++)
      await store.storeEvent(n % 2 === 0 ? "a" : "b", notification(`${n}`));
    expect(await store.getStreamIdForEventId?.(first)).toBeUndefined();
    const kept: string[] = [];
    const send = async (id: string): Promise<void> => {
      kept.push(id);
    };
    expect(await store.replayEventsAfter("2", { send })).toBe("a");
    expect(kept).toHaveLength(MAX_STORED_EVENTS / 2 - 1);
    await expect(store.replayEventsAfter(first, { send })).rejects.toThrow("no longer kept");
    const big = await store.storeEvent("a", notification("x".repeat(MAX_STORED_EVENT_BYTES - 100)));
    expect(await store.getStreamIdForEventId?.("3")).toBeUndefined();
    expect(await store.getStreamIdForEventId?.(big)).toBe("a");
  });

  test("one tool more than there may be is refused", async () => {
    await using s = await startTestMcp();
    const register = (n: number) => () =>
      s.mcp.registerTool({ name: `t${n}`, description: "d", handler: () => "" });
    for (let n = s.mcp.definition.tools.size; n < MAX_TOOLS; n++) register(n)();
    expect(register(MAX_TOOLS)).toThrow(expect.objectContaining({ code: "LIMIT_REACHED" }));
  });

  test("one subscription more than a session may have is refused, and a change is told to who subscribed", async () => {
    await using s = await startTestMcp();
    const frames: Json[] = [];
    const { promise: told, resolve: tell } = Promise.withResolvers<Json>();
    const socket = s.mcp.connect({
      carrier: "websocket",
      door: "ws",
      principal: ownerPrincipal,
      send(text) {
        const message: Json = JSON.parse(text);
        frames.push(message);
        if (message.method !== undefined || message.id === MAX_RESOURCE_SUBSCRIPTIONS) tell(message);
      },
      close: () => {},
    });
    await socket.ready;
    for (let id = 0; id <= MAX_RESOURCE_SUBSCRIPTIONS; id++) {
      socket.receive(
        JSON.stringify({
          jsonrpc: "2.0",
          id,
          method: "resources/subscribe",
          params: { uri: `test://${id}` },
        }),
      );
      await socket.idle();
    }
    expect((await told).error.code).toBe(-32429);
    s.mcp.resourceUpdated("test://unknown");
    s.mcp.resourceUpdated("test://7");
    await socket.idle();
    expect(frames.filter(frame => frame.method !== undefined)).toEqual([
      { jsonrpc: "2.0", method: "notifications/resources/updated", params: { uri: "test://7" } },
    ]);
  });

  test("one session more than the node may have is told to come later", async () => {
    await using s = await startTestMcp();
    const open = async (): Promise<number> => {
      const response = await s.mcp.fetch(
        new Request("http://127.0.0.1/mcp", {
          method: "POST",
          headers: { "content-type": "application/json", accept: "application/json, text/event-stream" },
          body: JSON.stringify({
            jsonrpc: "2.0",
            id: 1,
            method: "initialize",
            params: { protocolVersion: "2025-06-18", clientInfo: { name: "a", version: "1" } },
          }),
        }),
        { principal: ownerPrincipal },
      );
      await response.text();
      return response.status;
    };
    for (let n = 0; n < MAX_HTTP_SESSIONS; n++) expect(await open()).toBe(200);
    expect(await open()).toBe(503);
  });

  test("a message that is too long for echo is refused", async () => {
    await using s = await startTestMcp();
    const call = async (length: number) =>
      (
        await s.request("POST", "/mcp/tools/call", {
          principal: ownerPrincipal,
          body: { name: "echo", args: { message: "x".repeat(length) } },
        })
      ).body.isError;
    expect([await call(MAX_ECHO_LENGTH), await call(MAX_ECHO_LENGTH + 1)]).toEqual([undefined, true]);
  });
});
