import { once } from "node:events";
import { readFile } from "node:fs/promises";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import type { Browser } from "playwright-core";
import { type WebSocket, WebSocketServer } from "ws";
import { buildWeb } from "../../../scripts/build-web.mjs";
import { openPage } from "../chromium.ts";
import { runInPage } from "../in-page.ts";
import { servePages } from "./static-pages.ts";

/** A picture of one orange point, stretched where it is shown. */
const PICTURE = Buffer.from(
  "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8z8BQDwAEhQGAhKmMIQAAAABJRU5ErkJggg==",
  "base64",
);

/** What the studio page answers to a signalling message. */
export type StudioReply = Readonly<Record<string, unknown>> | undefined;

export interface MockRecord {
  readonly cid: string;
  readonly name?: string;
  readonly size: number;
  readonly contentType: string;
  readonly addedAtMs: number;
  readonly media?: Record<string, unknown>;
}

/** A stand-in for a node, whose faults a test can choose. Its media come from a page of the same browser. */
export interface MockNode extends AsyncDisposable {
  readonly url: string;
  readonly records: MockRecord[];
  /** Set to answer every offer_request with that error. */
  offerError: { code: string; message: string } | undefined;
  /** While false, sockets are refused. */
  accepting: boolean;
  /** Sessions asked for so far, with the place they were to start at. */
  readonly offers: { cid: string; startSeconds: number; replaces?: { pc_id: string; attempt: number } }[];
  /** Answers that have come. */
  answers: number;
  /** Files by CID, as paths: what `/ipfs/<cid>` gives. */
  readonly files: Map<string, string>;
  /** Status that `POST /api/v0/add` answers with; 200 adds. */
  addStatus: number;
  /** Runs an expression in which `studio` is what pages/studio.ts leaves. */
  studio<Result>(expression: string): Promise<Result>;
  /** Drops every signalling socket, as a node does that dies. */
  dropSockets(): void;
  /** Says something on every socket. */
  tell(message: object): void;
}

export async function startMockNode(browser: Browser): Promise<MockNode> {
  await buildWeb();
  const { page } = await openPage(browser);
  await page.goto("data:text/html,<p>studio");
  await runInPage(page, "studio.ts");

  const records: MockRecord[] = [];
  const offers: MockNode["offers"] = [];
  const server = createServer((request, response) => void answer(node, request, response));
  const sockets = new WebSocketServer({ noServer: true });
  server.on("upgrade", (request, socket, head) => {
    if (node.accepting) sockets.handleUpgrade(request, socket, head, ws => serve(ws));
    else socket.destroy();
  });
  let sessions = 0;

  // `ws` gives one buffer per message unless told otherwise.
  const serve = (ws: WebSocket): void => {
    ws.on("message", data => {
      void (async () => {
        const message = JSON.parse((data as Buffer).toString());
        if (message.type === "offer_request") {
          offers.push({
            cid: message.cid,
            startSeconds: message.startSeconds ?? 0,
            replaces: message.replaces,
          });
          if (node.offerError) return ws.send(JSON.stringify({ type: "error", ...node.offerError }));
          sessions += 1;
          message.pc_id = `pc_${sessions}`;
        }
        if (message.type === "answer") node.answers += 1;
        const reply = await page.evaluate(
          `studio.handle(${JSON.stringify(message.pc_id)}, ${JSON.stringify(message)})`,
        );
        if (reply !== undefined) ws.send(JSON.stringify(reply));
      })().catch(() => ws.close());
    });
  };
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  // The server listens on a port, so its address is not a pipe's name.
  const { port } = server.address() as AddressInfo;

  const node: MockNode = {
    url: `http://127.0.0.1:${port}`,
    records,
    offers,
    offerError: undefined,
    accepting: true,
    answers: 0,
    files: new Map(),
    addStatus: 200,
    studio: expression => page.evaluate(expression),
    dropSockets() {
      for (const ws of sockets.clients) ws.terminate();
    },
    tell(message) {
      for (const ws of sockets.clients) ws.send(JSON.stringify(message));
    },
    async [Symbol.asyncDispose]() {
      for (const ws of sockets.clients) ws.terminate();
      server.closeAllConnections();
      server.close();
      await page.close();
    },
  };
  return node;
}

/** Sends a file, or the part of it that the browser asks for. */
async function sendFile(path: string, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const bytes = await readFile(path);
  const [, from = "0", to = ""] = /^bytes=(\d+)-(\d*)$/.exec(request.headers.range ?? "") ?? [];
  const part = bytes.subarray(Number(from), to === "" ? bytes.length : Number(to) + 1);
  response.writeHead(206, {
    "content-type": "video/mp4",
    "content-length": part.length,
    "content-range": `bytes ${from}-${Number(from) + part.length - 1}/${bytes.length}`,
  });
  response.end(part);
}

async function answer(node: MockNode, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const url = new URL(request.url ?? "/", node.url);
  const json = (status: number, body: unknown): void => {
    response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(body));
  };
  if (url.pathname === "/api/v0/content") {
    const search = url.searchParams.get("search") ?? "";
    const found = node.records.filter(record => (record.name ?? "").includes(search));
    return json(200, { records: found, total: found.length });
  }
  if (url.pathname.startsWith("/api/v0/frame/")) {
    response.writeHead(200, { "content-type": "image/png" }).end(PICTURE);
    return;
  }
  if (url.pathname.startsWith("/api/v0/content/")) {
    const record = node.records.find(({ cid }) => url.pathname.endsWith(`/${cid}`));
    const error = { error: { code: "CONTENT_NOT_FOUND", message: "no record" } };
    return record ? json(200, record) : json(404, error);
  }
  if (url.pathname === "/api/v0/status") {
    const parts: unknown[] = [];
    const counts = { contentCount: 0, peers: 0, sessions: 1, maxSessions: 100 };
    return json(200, { name: "cidcast", version: "0.0.0", startedAtMs: 0, parts, ...counts });
  }
  if (url.pathname === "/api/v0/add") {
    let size = 0;
    for await (const chunk of request) size += (chunk as Buffer).length;
    const error = { error: { code: "STORAGE_FULL", message: "the disk has no room for 5 bytes" } };
    if (node.addStatus >= 400) return json(node.addStatus, error);
    const record = { cid: `bafyupload${node.records.length}`, size, contentType: "video/mp4", addedAtMs: 0 };
    node.records.unshift({ ...record, name: url.searchParams.get("name") ?? "unnamed" });
    return json(200, { ...record, name: url.searchParams.get("name") });
  }
  const file = node.files.get(url.pathname.replace("/ipfs/", ""));
  if (file !== undefined) return sendFile(file, request, response);
  return servePages(url.pathname, response);
}
