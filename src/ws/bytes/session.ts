import type { Content } from "../../content/index.ts";
import {
  type Action,
  CidcastError,
  type Clock,
  isCidcastError,
  type Logger,
  type Principal,
  toCidcastError,
  withTimeout,
} from "../../core/index.ts";
import type { OwnedContent } from "../../tenancy/index.ts";
import type { SocketContext } from "../types.ts";
import { ChunkQueue } from "./chunk-queue.ts";
import type { StreamRequest, UploadMetadata } from "./messages.ts";

/** Bytes that may wait to be sent before no more are read. */
const HIGH_WATER_BYTES = 1024 * 1024;
/** Longest silence of a client that is sending content, milliseconds. */
const UPLOAD_SILENCE_MS = 30_000;

export interface ByteComponents {
  readonly content: Pick<Content, "open" | "contentTypeOf" | "resolve">;
  /** Content as this caller has it. */
  readonly contentFor: (principal: Principal) => Pick<OwnedContent, "add" | "pin">;
  /** Throws when the caller may not do this, or may not see that. */
  readonly allow: (principal: Principal, action: Action, ref?: string) => Promise<void>;
  /** What a caller may still be sent; `LIMIT_REACHED` when that is less. */
  readonly egress: (principal: Principal) => { check(bytes: number): void; add(bytes: number): void };
  readonly maxUploadBytes: number;
  readonly clock: Clock;
  readonly log: Logger;
}

interface Upload {
  readonly chunks: ChunkQueue;
  readonly result: Promise<{ readonly cid: string; readonly size: number }>;
  bytes: number;
}

/** Bytes over one WebSocket, both ways. What is asked is done in its turn. */
export class ByteSession {
  readonly #components: ByteComponents;
  readonly #context: SocketContext;
  readonly #closing = new AbortController();
  readonly #drained: (() => void)[] = [];
  #turn: Promise<void> = Promise.resolve();
  #upload: Upload | undefined;
  #stopSilence: () => void = () => undefined;

  constructor(components: ByteComponents, context: SocketContext) {
    this.#components = components;
    this.#context = context;
  }

  get uploading(): boolean {
    return this.#upload !== undefined;
  }

  /** Does the work after what was asked before; what goes wrong is told. */
  inTurn(work: () => Promise<void>): Promise<void> {
    const mine = this.#turn.then(async () => {
      try {
        if (!this.#closing.signal.aborted) await work();
      } catch (error) {
        this.tellError(error);
      }
    });
    this.#turn = mine;
    return mine;
  }

  tell(message: Readonly<Record<string, unknown>>): void {
    this.#context.send(JSON.stringify({ ...message, timestamp: this.#components.clock.now() / 1000 }));
  }

  tellError(thrown: unknown): void {
    const { code, message } = toCidcastError(thrown);
    if (!isCidcastError(thrown)) this.#components.log.error({ err: thrown }, "a byte socket failed");
    const error = code === "INTERNAL" ? "Internal error" : message;
    this.tell({ type: "error", error, error_type: code });
  }

  /** Sends a file: metadata, its bytes, and that it is complete. */
  async stream(request: StreamRequest): Promise<void> {
    const { content, allow, egress } = this.#components;
    const { principal } = this.#context;
    const { signal } = this.#closing;
    const ref = refOf(request.path);
    await allow(principal, "content:read", ref);
    const { file, contentType } = await withTimeout(
      request.timeout * 1000,
      `Finding ${request.path}`,
      async inner => {
        const target = await content.resolve(ref, { signal: inner });
        if (target.type !== "file") throw new CidcastError("NOT_A_FILE", `${ref} is a directory`);
        const type = request.mime_type ?? (await content.contentTypeOf(target.cid, { signal: inner }));
        return { file: await content.open(target.cid, { signal: inner }), contentType: type };
      },
      { signal },
    );
    await using open = file;
    const account = egress(principal);
    account.check(open.size);
    const about = { content_type: contentType, content_length: open.size, path: request.path };
    this.tell({ type: "metadata", ...about, metadata: {} });
    let sent = 0;
    for (let at = 0; at < open.size; at += request.chunk_size) {
      const chunk = await open.read(at, Math.min(at + request.chunk_size, open.size), { signal });
      account.add(chunk.byteLength);
      if (!this.#context.send(chunk)) return;
      sent += chunk.byteLength;
      await this.#room();
    }
    this.tell({ type: "complete", bytes_sent: sent });
  }

  /** Begins to take content in: its bytes are pushed from now on. */
  async begin({ filename, content_type: contentType, metadata }: UploadMetadata): Promise<void> {
    const { allow, contentFor, maxUploadBytes } = this.#components;
    const { principal } = this.#context;
    await allow(principal, "content:add");
    const totalBytes = metadata?.size;
    if (totalBytes !== undefined && totalBytes > maxUploadBytes) throw tooLarge(maxUploadBytes);
    const chunks = new ChunkQueue();
    const result = contentFor(principal).add(chunks, {
      signal: this.#closing.signal,
      ...(filename !== undefined && { name: filename }),
      ...(contentType !== undefined && { contentType }),
      ...(totalBytes !== undefined && { totalBytes }),
    });
    // Awaited when the client says that it is complete; a failure before is told then.
    result.catch(() => undefined);
    this.#upload = { chunks, result, bytes: 0 };
    this.#listen();
  }

  /** Bytes of the content that is being taken in. Resolves when there is room for more. */
  async push(chunk: Uint8Array): Promise<void> {
    const upload = this.#upload;
    if (upload === undefined) return this.tellError(notReady());
    upload.bytes += chunk.byteLength;
    this.#listen();
    if (upload.bytes > this.#components.maxUploadBytes) {
      upload.chunks.end(tooLarge(this.#components.maxUploadBytes));
    } else await upload.chunks.push(chunk);
    return undefined;
  }

  /** The content is whole: it is kept, and its CID told. */
  async complete(): Promise<void> {
    const upload = this.#upload;
    if (upload === undefined) throw notReady();
    this.#upload = undefined;
    this.#stopSilence();
    upload.chunks.end();
    try {
      const { cid, size } = await upload.result;
      this.tell({ type: "result", success: true, cid, size });
    } catch (error) {
      const { code, message } = toCidcastError(error);
      this.tell({ type: "result", success: false, error: message, error_type: code });
    }
  }

  async pin(cid: string): Promise<void> {
    const { allow, contentFor } = this.#components;
    const { principal } = this.#context;
    await allow(principal, "content:pin", cid);
    await contentFor(principal).pin(cid, { signal: this.#closing.signal });
    this.tell({ type: "pin_result", success: true, cid });
  }

  drain(): void {
    for (const wake of this.#drained.splice(0)) wake();
  }

  close(): void {
    this.#closing.abort(new CidcastError("ABORTED", "The client is gone"));
    this.#stopSilence();
    this.#upload?.chunks.end(new CidcastError("ABORTED", "The client is gone"));
    this.drain();
  }

  async #room(): Promise<void> {
    while (this.#context.bufferedBytes() > HIGH_WATER_BYTES && !this.#closing.signal.aborted) {
      await new Promise<void>(resolve => this.#drained.push(resolve));
    }
    this.#closing.signal.throwIfAborted();
  }

  /** A client that begins to send and falls silent holds a place: it is given back. */
  #listen(): void {
    this.#stopSilence();
    this.#stopSilence = this.#components.clock.after(UPLOAD_SILENCE_MS, () => {
      this.#upload?.chunks.end(new CidcastError("TIMEOUT", "Nothing more was sent"));
      this.#upload = undefined;
      this.tellError(new CidcastError("TIMEOUT", `Nothing was sent for ${UPLOAD_SILENCE_MS / 1000} s`));
    });
  }
}

function refOf(path: string): string {
  return path.replace(/^(?:\/?ipfs\/|ipfs:\/\/)/, "");
}

function tooLarge(maxBytes: number): CidcastError {
  return new CidcastError("PAYLOAD_TOO_LARGE", `Content over a WebSocket has at most ${maxBytes} bytes`);
}

function notReady(): CidcastError {
  return new CidcastError("INVALID_REQUEST", "First message must be metadata");
}
