import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { WebSocket } from "ws";
import { type ServedNode, serveNode } from "./serve-node.ts";

// Tests look into messages of every shape.
// oxlint-disable-next-line typescript/no-explicit-any
type Json = any;

/** A client as those of this family are: text frames are JSON, binary ones content. */
class ByteClient implements Disposable {
  readonly ws: WebSocket;
  /** Buffers, and what JSON says. */
  readonly #got: Json[] = [];
  readonly #waiting: (() => void)[] = [];

  private constructor(ws: WebSocket) {
    this.ws = ws;
    ws.on("message", (data, isBinary) => {
      // The default kind of message is a buffer.
      const frame = data as Buffer;
      this.#got.push(isBinary ? frame : JSON.parse(frame.toString()));
      for (const wake of this.#waiting.splice(0)) wake();
    });
  }

  static async open(url: string): Promise<ByteClient> {
    const client = new ByteClient(new WebSocket(url));
    await once(client.ws, "open");
    return client;
  }

  send(message: object | Buffer | string): void {
    this.ws.send(Buffer.isBuffer(message) || typeof message === "string" ? message : JSON.stringify(message));
  }

  async next(): Promise<Json> {
    for (;;) {
      const [first] = this.#got.splice(0, 1);
      if (first !== undefined) return first;
      await new Promise<void>(resolve => this.#waiting.push(resolve));
    }
  }

  /** Metadata, the whole content, and the end. */
  async file(): Promise<{
    readonly metadata: Json;
    readonly bytes: Buffer;
    readonly frames: number;
    readonly end: Json;
  }> {
    const metadata = await this.next();
    const parts: Buffer[] = [];
    for (;;) {
      const frame = await this.next();
      if (!Buffer.isBuffer(frame)) {
        return { metadata, bytes: Buffer.concat(parts), frames: parts.length, end: frame };
      }
      parts.push(frame);
    }
  }

  [Symbol.dispose](): void {
    this.ws.terminate();
  }
}

let served: ServedNode;
const bytes = randomBytes(3_000_000);
let cid: string;

beforeAll(async () => {
  served = await serveNode({ maxUploadBytes: 4_000_000 });
  const response = await fetch(`${served.url}/api/v0/add?name=random.bin`, { method: "POST", body: bytes });
  ({ cid } = (await response.json()) as { cid: string });
});
afterAll(() => served[Symbol.asyncDispose]());
const open = (path: string): Promise<ByteClient> => ByteClient.open(served.wsUrl + path);

describe("/ws/stream", () => {
  test("sends metadata, the bytes in chunks, and that they are complete; then the next file", async () => {
    using client = await open("/ws/stream");
    client.send({ path: `/ipfs/${cid}`, chunk_size: 500_000, cache: true, timeout: 30 });
    client.send({ path: cid, mime_type: "video/mp4" });
    const first = await client.file();
    expect(first.metadata).toMatchObject({
      type: "metadata",
      content_type: "application/octet-stream",
      content_length: bytes.length,
      path: `/ipfs/${cid}`,
      timestamp: expect.any(Number),
      metadata: {},
    });
    expect([first.frames, first.bytes.equals(bytes)]).toEqual([6, true]);
    expect(first.end).toMatchObject({ type: "complete", bytes_sent: bytes.length });
    const second = await client.file();
    expect([second.metadata.content_type, second.frames]).toEqual(["video/mp4", 3]);
  });

  test("says what is wrong, and goes on", async () => {
    using client = await open("/ws/stream/");
    const wrong = [
      ["{}", "Path parameter is required", "INVALID_REQUEST"],
      ["no json", "Invalid JSON message", "INVALID_REQUEST"],
      ['{"path":"nonsense"}', expect.any(String), "INVALID_CID"],
      [`{"path":"${cid}","chunk_size":1}`, expect.stringContaining("chunk_size"), "INVALID_REQUEST"],
      [
        '{"path":"bafkreihdwdcefgh4dqkjv67uzcmw7ojee6xedzdetojuzjevtenxquvyku"}',
        expect.any(String),
        "CONTENT_NOT_FOUND",
      ],
    ] as const;
    for (const [text, error, code] of wrong) {
      client.send(text);
      expect([text, await client.next()]).toMatchObject([text, { type: "error", error, error_type: code }]);
    }
    client.send({ path: cid });
    expect((await client.file()).bytes.equals(bytes)).toBe(true);
  });
});

describe("/ws/upload", () => {
  test("takes content in and tells its CID, one after the other", async () => {
    using client = await open("/ws/upload");
    for (let i = 0; i < 2; i++) {
      client.send({
        type: "metadata",
        filename: "up.bin",
        content_type: "application/octet-stream",
        metadata: { size: bytes.length },
      });
      for (let at = 0; at < bytes.length; at += 700_000) client.send(bytes.subarray(at, at + 700_000));
      client.send({ type: "complete" });
      expect(await client.next()).toMatchObject({ type: "result", success: true, cid, size: bytes.length });
    }
  });

  test("refuses what comes first and is no metadata, and what is too large", async () => {
    using client = await open("/ws/upload");
    client.send({ type: "complete" });
    expect(await client.next()).toMatchObject({ type: "error", error: "First message must be metadata" });
    client.send(Buffer.from("bytes"));
    expect(await client.next()).toMatchObject({ type: "error", error: "First message must be metadata" });
    client.send({ type: "metadata", metadata: { size: 5_000_000 } });
    expect(await client.next()).toMatchObject({ type: "error", error_type: "PAYLOAD_TOO_LARGE" });
    client.send({ type: "metadata", filename: "liar.bin" });
    for (let i = 0; i < 5; i++) client.send(randomBytes(1_000_000));
    client.send({ type: "complete" });
    expect(await client.next()).toMatchObject({
      type: "result",
      success: false,
      error_type: "PAYLOAD_TOO_LARGE",
    });
  });

  test("keeps nothing of a client that leaves in the middle", async () => {
    using client = await open("/ws/upload");
    client.send({ type: "metadata", filename: "half.bin" });
    client.send(randomBytes(300_000));
    await new Promise(resolve => setImmediate(resolve));
    client.ws.close();
    await once(client.ws, "close");
    const { records } = await served.node.content.list({ search: "half.bin" });
    expect(records).toEqual([]);
  });
});

describe("/ws/bidirectional", () => {
  test("gets, adds and pins by command", async () => {
    using client = await open("/ws/bidirectional");
    expect(await client.next()).toMatchObject({
      type: "welcome",
      message: "Connected to IPFS Kit WebSocket API",
      supported_commands: ["get", "add", "pin", "close"],
    });
    client.send({ command: "add", filename: "note.txt", content_type: "text/plain", metadata: {} });
    expect(await client.next()).toMatchObject({ type: "ready" });
    client.send(Buffer.from("hello"));
    client.send({ command: "complete" });
    const added = await client.next();
    expect(added).toMatchObject({ type: "result", success: true, size: 5 });
    client.send({ command: "pin", cid: added.cid });
    expect(await client.next()).toMatchObject({ type: "pin_result", success: true, cid: added.cid });
    client.send({ command: "get", path: added.cid });
    expect((await client.file()).bytes.toString()).toBe("hello");
    for (const [command, error] of [
      [{ command: "get" }, "Missing path parameter"],
      [{ command: "pin" }, "Missing cid parameter"],
      [{ command: "dance" }, "Unknown command: dance"],
    ] as const) {
      client.send(command);
      expect(await client.next()).toMatchObject({ type: "error", error });
    }
    client.send({ command: "close" });
    expect(await client.next()).toMatchObject({ type: "goodbye" });
    const [code] = await once(client.ws, "close");
    expect(code).toBe(1000);
  });

  test("a tenant sends and gets its own alone", async () => {
    const { tenancy } = served.node;
    const { id: tenantId } = await tenancy!.tenants.create({ name: "acme" });
    const scopes = ["content:read", "content:write"];
    const { token } = await tenancy!.tokens.create({ tenantId, scopes, expiresInDays: null });
    using client = await open(`/ws/bidirectional?token=${token}`);
    await client.next();
    client.send({ command: "get", path: cid });
    expect(await client.next()).toMatchObject({ type: "error", error_type: "CONTENT_NOT_FOUND" });
    client.send({ command: "add", filename: "mine.txt" });
    await client.next();
    client.send(Buffer.from("mine"));
    client.send({ command: "complete" });
    const added = await client.next();
    client.send({ command: "get", path: added.cid });
    expect((await client.file()).bytes.toString()).toBe("mine");
    expect(await tenancy!.content.record(tenantId, added.cid)).toMatchObject({ name: "mine.txt", size: 4 });
  });
});
