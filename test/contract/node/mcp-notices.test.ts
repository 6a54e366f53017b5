import { Readable } from "node:stream";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { TestClient } from "../../sockets/socket-server.ts";
import { type ServedNode, serveNode } from "./serve-node.ts";
import { makeTenant, type Who } from "./tenant-client.ts";

// Tests look into answers of every shape.
// oxlint-disable-next-line typescript/no-explicit-any
type Json = any;
const EVENTS = "cidcast://events";
const NEWEST = {
  "io.modelcontextprotocol/protocolVersion": "2026-07-28",
  "io.modelcontextprotocol/clientInfo": { name: "a", version: "1" },
  "io.modelcontextprotocol/clientCapabilities": {},
};

let served: ServedNode;
beforeAll(async () => {
  served = await serveNode();
  served.node.mcp!.registerTool({
    name: "talkative",
    description: "Says what it does at every level, and how far it is",
    input_schema: { type: "object", properties: {} },
    async handler(_args, session_id, context) {
      await context.progress(1, 2, "half");
      for (const level of ["debug", "info", "warning", "error"] as const) await context.log(level, { level });
      return `done in ${session_id}`;
    },
  });
});
afterAll(() => served?.[Symbol.asyncDispose]());

const made = (scopes: readonly string[]): Promise<Who> => makeTenant(served, scopes);

const OLDER = ["2024-11-05", "2025-03-26", "2025-06-18", "2025-11-25"] as const;

/** A session over a WebSocket, of an older revision. */
async function session(who: Who, protocolVersion: (typeof OLDER)[number] = "2025-11-25") {
  const client = await TestClient.open(
    `${served.wsUrl}/ws/mcp/?token=${who.token}&tenant_id=${who.tenantId}`,
  );
  let id = 0;
  const ask = async (method: string, params: object = {}): Promise<Json> => {
    const mine = ++id;
    client.send({ jsonrpc: "2.0", id: mine, method, params });
    return client.until(frame => frame["id"] === mine);
  };
  await ask("initialize", {
    protocolVersion,
    capabilities: {},
    clientInfo: { name: "t", version: "1" },
  });
  client.send({ jsonrpc: "2.0", method: "notifications/initialized" });
  return { client, ask, [Symbol.dispose]: () => client.ws.terminate() };
}

const add = (who: Who, text: string) =>
  served.node
    .tenancy!.contentView(served.node.content, who.tenantId)
    .add(Readable.from([Buffer.from(text)]), { name: `${text}.txt` });
const isUpdate = (frame: Json): boolean =>
  frame.method === "notifications/resources/updated" && frame.params.uri === EVENTS;

/** Frames of a stream of server-sent events, as they come. */
async function* frames(response: Response): AsyncGenerator<Json> {
  let rest = "";
  const decoder = new TextDecoder();
  for await (const chunk of response.body!) {
    rest += decoder.decode(chunk as Uint8Array, { stream: true });
    const events = rest.split("\n\n");
    rest = events.pop() ?? "";
    for (const event of events) {
      const data = /^data: ?(.+)$/m.exec(event)?.[1];
      if (data !== undefined) yield JSON.parse(data);
    }
  }
}

function post(
  who: Who,
  method: string,
  params: { readonly uri?: string; readonly notifications?: object },
  signal?: AbortSignal,
): Promise<Response> {
  return fetch(`${served.url}/mcp`, {
    method: "POST",
    headers: {
      authorization: `Bearer ${who.token}`,
      "content-type": "application/json",
      accept: "application/json, text/event-stream",
      "mcp-protocol-version": "2026-07-28",
      "mcp-method": method,
      ...(params.uri !== undefined && { "mcp-name": params.uri }),
    },
    body: JSON.stringify({ jsonrpc: "2.0", id: 7, method, params: { ...params, _meta: NEWEST } }),
    ...(signal && { signal }),
  });
}

describe("events of the one log", () => {
  test("are told to a session that subscribed, and read; another tenant's are not", async () => {
    const [a, b] = [await made(["events", "content:write"]), await made(["events"])];
    using mine = await session(a);
    using others = await session(b);
    for (const { ask } of [mine, others]) {
      expect((await ask("resources/list")).result.resources).toContainEqual(
        expect.objectContaining({ uri: EVENTS, mimeType: "application/json" }),
      );
      expect((await ask("resources/subscribe", { uri: EVENTS })).result).toEqual({});
    }
    const { cid } = await add(a, "first");
    await mine.client.until(isUpdate);
    const read = (await mine.ask("resources/read", { uri: `${EVENTS}?types=content_added&limit=5` })).result;
    const { events } = JSON.parse(read.contents[0].text);
    expect(events).toContainEqual(
      expect.objectContaining({ type: "content_added", data: expect.anything() }),
    );
    expect(JSON.stringify(events)).toContain(cid);

    // What the other hears is its own event alone: had it been told of the first, that would have come before.
    const heard: Json[] = [];
    others.client.ws.on("message", data => heard.push(JSON.parse((data as Buffer).toString())));
    const theirs = (await others.ask("resources/read", { uri: EVENTS })).result;
    expect(theirs.contents[0].text).not.toContain(cid);
    expect(heard.filter(isUpdate)).toEqual([]);
    for (const uri of [`${EVENTS}?limit=0`, `${EVENTS}?limit=1000`])
      expect((await mine.ask("resources/read", { uri })).error.code).toBe(-32602);
    await mine.ask("resources/unsubscribe", { uri: EVENTS });
  });

  test("need the scope", async () => {
    const none = await made(["content:read"]);
    using one = await session(none);
    expect((await one.ask("resources/list")).result.resources).toEqual([]);
    expect((await one.ask("resources/read", { uri: EVENTS })).error.code).toBe(-32403);
  });

  test("are told in the newest revision over HTTP, to who may see them", async () => {
    const [a, b] = [await made(["events", "content:write"]), await made(["events", "content:write"])];
    const stop = new AbortController();
    const params = { notifications: { resourceSubscriptions: [EVENTS] } };
    const [mine, theirs] = [
      frames(await post(a, "subscriptions/listen", params, stop.signal)),
      frames(await post(b, "subscriptions/listen", params, stop.signal)),
    ];
    expect((await mine.next()).value.method).toBe("notifications/subscriptions/acknowledged");
    expect((await theirs.next()).value.method).toBe("notifications/subscriptions/acknowledged");
    await add(a, "second");
    expect(isUpdate((await mine.next()).value)).toBe(true);
    // The first that the other hears is of its own event.
    const first = theirs.next();
    const own = await add(b, "third");
    expect(isUpdate((await first).value)).toBe(true);
    const read = await post(b, "resources/read", { uri: EVENTS });
    const { result } = (await read.json()) as Json;
    expect(result).toMatchObject({ ttlMs: 0, cacheScope: "private" });
    const { events } = JSON.parse(result.contents[0].text);
    expect(JSON.stringify(events)).toContain(own.cid);
    expect(JSON.stringify(events)).not.toContain("second");
    stop.abort();
  });

  test("and over a WebSocket", async () => {
    const a = await made(["events", "content:write"]);
    using client = await TestClient.open(`${served.wsUrl}/ws/mcp/?token=${a.token}&tenant_id=${a.tenantId}`);
    const params = { notifications: { resourceSubscriptions: [EVENTS] }, _meta: NEWEST };
    client.send({ jsonrpc: "2.0", id: 1, method: "subscriptions/listen", params });
    await client.until(frame => frame["method"] === "notifications/subscriptions/acknowledged");
    await add(a, "fourth");
    expect(await client.until(isUpdate)).toMatchObject({ params: { uri: EVENTS } });
  });
});

describe("what a session is told beside answers", () => {
  test.each(OLDER)("messages from the level it set on, and how far a call is, in %s", async revision => {
    using one = await session(await made([]), revision);
    for (const [level, expected] of [
      ["warning", ["warning", "error"]],
      ["debug", ["debug", "info", "warning", "error"]],
    ] as const) {
      expect((await one.ask("logging/setLevel", { level })).result).toEqual({});
      const told: Json[] = [];
      const listen = (data: unknown): void => void told.push(JSON.parse(String(data)));
      one.client.ws.on("message", listen);
      const params = { name: "talkative", arguments: {}, _meta: { progressToken: level } };
      const { result } = await one.ask("tools/call", params);
      one.client.ws.off("message", listen);
      expect(result.content[0].text).toMatch(/^done in [\da-f-]{36}$/);
      const of = (method: string) => told.filter(frame => frame.method === method).map(frame => frame.params);
      expect(of("notifications/message").map(({ level: said }) => said)).toEqual(expected);
      expect(of("notifications/progress")).toEqual([
        { progressToken: level, progress: 1, total: 2, message: "half" },
      ]);
    }
    expect((await one.ask("logging/setLevel", { level: "loud" })).error).toBeDefined();
  });

  test("messages from the level that a request of the newest revision names, and none where it names none", async () => {
    const who = await made([]);
    using client = await TestClient.open(
      `${served.wsUrl}/ws/mcp/?token=${who.token}&tenant_id=${who.tenantId}`,
    );
    const levels: string[] = [];
    client.ws.on("message", data => {
      const { method, params } = JSON.parse((data as Buffer).toString());
      if (method === "notifications/message") levels.push(params.level);
    });
    for (const [id, level, expected] of [
      [1, undefined, []],
      [2, "warning", ["warning", "error"]],
      [3, "debug", ["debug", "info", "warning", "error"]],
    ] as const) {
      levels.length = 0;
      const _meta = { ...NEWEST, ...(level !== undefined && { "io.modelcontextprotocol/logLevel": level }) };
      client.send({
        jsonrpc: "2.0",
        id,
        method: "tools/call",
        params: { name: "talkative", arguments: {}, _meta },
      });
      const answer: Json = await client.until(frame => frame["id"] === id);
      expect(answer.result.content[0].text).toMatch(/^done in /);
      expect(levels).toEqual(expected);
    }
  });

  test("prompts are listed and filled in, and what is missing is told", async () => {
    using one = await session(await made([]));
    const { prompts } = (await one.ask("prompts/list")).result;
    expect(prompts).toContainEqual(expect.objectContaining({ name: "describe_media" }));
    const filled = (await one.ask("prompts/get", { name: "describe_media", arguments: { cid: "bafyX" } }))
      .result;
    expect(filled.messages[0]).toMatchObject({ role: "user", content: { type: "text" } });
    expect(filled.messages[0].content.text).toContain("bafyX");
    expect((await one.ask("prompts/get", { name: "describe_media" })).error.code).toBe(-32602);
    expect((await one.ask("prompts/get", { name: "none" })).error.code).toBe(-32602);
  });
});
