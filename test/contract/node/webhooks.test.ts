import { once } from "node:events";
import { createServer, type IncomingMessage } from "node:http";
import type { AddressInfo } from "node:net";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { run } from "../../../src/cli/testing/run.ts";
import { webhookSignature } from "../../../src/notify/index.ts";
import { serveNode } from "./serve-node.ts";

interface Received {
  readonly headers: IncomingMessage["headers"];
  readonly text: string;
  readonly events: readonly {
    readonly notification_type: string;
    readonly data: { readonly message: string };
  }[];
}

/** A receiver that keeps what it gets, and says no while `failing`. */
async function receiver() {
  const got: Received[] = [];
  const waiting: (() => void)[] = [];
  const state = { failing: false, refused: 0 };
  const server = createServer((request, response) => {
    const parts: Buffer[] = [];
    request.on("data", part => parts.push(part));
    request.on("end", () => {
      const text = Buffer.concat(parts).toString();
      if (state.failing) state.refused += 1;
      else got.push({ headers: request.headers, text, events: JSON.parse(text).events });
      response.writeHead(state.failing ? 500 : 204).end();
      for (const wake of waiting.splice(0)) wake();
    });
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  return {
    state,
    url: `http://127.0.0.1:${port}/hook`,
    messages: () => got.flatMap(({ events }) => events.map(event => event.data.message)),
    got,
    async until(holds: () => boolean) {
      while (!holds()) await new Promise<void>(resolve => waiting.push(resolve));
    },
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      server.close();
    },
  };
}

test("a webhook gets its events signed, and after a restart what it missed", async () => {
  await using there = await receiver();
  const dataDir = await mkdtemp(join(tmpdir(), "cidcast-hooks-"));
  const config = { dataDir, events: { log: "disk" as const } };
  const tell = (node: Awaited<ReturnType<typeof serveNode>>, message: string): void =>
    void node.node.notify?.emitEvent("system_error", { message });
  let secret: string;
  let id: string;
  try {
    {
      await using served = await serveNode(config);
      tell(served, "before");
      const filter = 'message != "quiet"';
      const command = ["webhook", "add", there.url, "--type", "system_error", "--filter", filter, "--json"];
      const added = await run(command, { cwd: dataDir, dataDir });
      expect(added.code).toBe(0);
      ({ id, secret } = JSON.parse(added.stdout));
      tell(served, "one");
      tell(served, "quiet");
      tell(served, "two");
      await there.until(() => there.messages().length === 2);
      expect(there.messages()).toEqual(["one", "two"]);
      const { headers, text } = there.got[0]!;
      const signature = String(headers["cidcast-signature"]);
      expect(signature).toBe(webhookSignature(secret, Number(/t=(\d+)/.exec(signature)?.[1]), text));
      there.state.failing = true;
      tell(served, "three");
      await there.until(() => there.state.refused > 0);
    }
    there.state.failing = false;
    await using again = await serveNode(config);
    await there.until(() => there.messages().length === 3);
    expect(there.messages()).toEqual(["one", "two", "three"]);
    const listed = await (await fetch(`${again.url}/api/v0/webhooks`)).text();
    expect(JSON.parse(listed)).toMatchObject({
      webhooks: [{ id, url: there.url, types: ["system_error"], delivered: 1, givenUp: 0 }],
    });
    expect(listed).not.toContain(secret);
    const removed = await run(["webhook", "rm", id], { cwd: dataDir, dataDir });
    expect(removed).toMatchObject({ code: 0, stdout: `removed ${id}\n` });
    tell(again, "four");
    const gone = await fetch(`${again.url}/api/v0/webhooks/${id}`, { method: "DELETE" });
    expect(gone.status).toBe(404);
    expect(there.messages()).toHaveLength(3);
  } finally {
    await rm(dataDir, { recursive: true, force: true });
  }
});

test.each([
  [{ url: "ftp://127.0.0.1/" }, "INVALID_REQUEST"],
  [{ url: "http://user:pass@127.0.0.1/" }, "INVALID_REQUEST"],
  [{ url: "http://127.0.0.1/", types: ["all_events"] }, "INVALID_REQUEST"],
  [{ url: "http://127.0.0.1/", types: ["nothing"] }, "INVALID_REQUEST"],
  [{ url: "http://127.0.0.1/", filter: "type ==" }, "INVALID_REQUEST"],
  [{ url: "http://127.0.0.1/", secret: "mine" }, "INVALID_REQUEST"],
  [{}, "INVALID_REQUEST"],
])("%o is refused, and nothing is kept of it", async (body, code) => {
  await using served = await serveNode();
  const response = await fetch(`${served.url}/api/v0/webhooks`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(body),
  });
  expect(response.status).toBe(400);
  expect(await response.json()).toMatchObject({ error: { code } });
  expect(await (await fetch(`${served.url}/api/v0/webhooks`)).json()).toEqual({ webhooks: [] });
});
