import {
  FILE_PIECE_BYTES,
  FILE_PROTOCOL,
  fileRequest,
  MAX_FILE_REQUEST_BYTES,
  PLAIN_TRANSFER_PROTOCOL,
  plainTransferRequest,
} from "@cidcast/protocols/ipfs-kit-file";
import {
  type AbortOptions,
  type Authoriser,
  CidcastError,
  type Clock,
  type Logger,
  messageOf,
  type Principal,
  withTimeout,
} from "../../core/index.ts";
import { readJson } from "../../p2p/index.ts";
import { JSON_REQUEST_TIMEOUT_MS, MAX_PLAIN_STREAMS_PER_PEER } from "../limits.ts";
import type { ProtocolHost } from "../protocol/content-service.ts";
import type { ByteStream } from "../types.ts";
import { sendPiece } from "./send-all.ts";

/** A file as it is read. */
export interface PlainFile extends AsyncDisposable {
  readonly size: number;
  stream(options: AbortOptions & { readonly start: number; readonly end: number }): AsyncIterable<Uint8Array>;
}

export interface PlainServiceComponents {
  readonly peer: ProtocolHost;
  /** Which of the two are answered. */
  readonly protocols: readonly ("file" | "transfer")[];
  /** Opens a file that is here. `CONTENT_NOT_FOUND`. */
  readonly open: (cid: string) => Promise<PlainFile>;
  readonly authenticate: (peerId: string, token: string | undefined) => Principal | Promise<Principal>;
  readonly authoriser: Authoriser;
  readonly clock: Clock;
  readonly log: Logger;
}

/** Answers `/ipfs-kit/file/1.0.0` and `/ipfs-kit/transfer/1.0.0`; gives what ends it. */
export async function servePlainFiles(components: PlainServiceComponents): Promise<() => Promise<void>> {
  const options = { maxInboundStreams: MAX_PLAIN_STREAMS_PER_PEER };
  const ends: (() => Promise<void>)[] = [];
  for (const name of components.protocols) {
    const [protocol, answer] =
      name === "file" ? [FILE_PROTOCOL, answerFile] : [PLAIN_TRANSFER_PROTOCOL, answerTransfer];
    const handler = (stream: ByteStream): Promise<void> => answer(stream, components);
    ends.push(await components.peer.registerProtocolHandler(protocol, handler, options));
  }
  return async () => {
    for (const end of ends) await end();
  };
}

async function answerFile(stream: ByteStream, components: PlainServiceComponents): Promise<void> {
  const refuse = async (error: "Content not found" | "Invalid request"): Promise<void> => {
    await sendPiece(stream, Buffer.from(JSON.stringify({ error })));
    await stream.close();
  };
  const request = fileRequest.safeParse(await requestOf(stream));
  if (!request.success) return refuse("Invalid request");
  const { cid, range } = request.data;
  const file = await opened(stream, cid, components);
  if (file === undefined) return refuse("Content not found");
  await using _open = file;
  const start = range?.start ?? 0;
  const end = Math.min(range?.end ?? file.size, file.size);
  if (start > file.size || end < start) return refuse("Invalid request");
  await sendRange(stream, file, { start, end });
}

async function answerTransfer(stream: ByteStream, components: PlainServiceComponents): Promise<void> {
  const timestamp = components.clock.now() / 1000;
  const value = await requestOf(stream);
  const request = plainTransferRequest.safeParse(value);
  const told = request.success
    ? { request_id: request.data.request_id, cid: request.data.cid, timestamp }
    : { request_id: "", cid: "", timestamp };
  const head = async (reply: Readonly<Record<string, unknown>>): Promise<void> =>
    sendPiece(stream, Buffer.from(JSON.stringify({ ...reply, ...told })));
  const refuse = async (error: string): Promise<void> => {
    await head({ success: false, error });
    await stream.close();
  };
  if (!request.success) return refuse("Invalid request");
  const { cid, offset, length } = request.data;
  const file = await opened(stream, cid, components);
  if (file === undefined) return refuse("Content not found");
  await using _open = file;
  if (offset > file.size) return refuse("Invalid request");
  const end = length < 0 ? file.size : Math.min(file.size, offset + length);
  await head({ success: true, size: file.size, length: end - offset });
  await sendRange(stream, file, { start: offset, end });
}

/** The request, or undefined where none came that is JSON. */
async function requestOf(stream: ByteStream): Promise<unknown> {
  try {
    return await withTimeout(JSON_REQUEST_TIMEOUT_MS, "Reading the request", signal =>
      readJson(stream, { maxBytes: MAX_FILE_REQUEST_BYTES, signal }),
    );
  } catch (error) {
    // A stream that is gone is nobody's to answer.
    if (error instanceof CidcastError && error.code === "PEER_UNREACHABLE") throw error;
    return undefined;
  }
}

async function opened(
  stream: ByteStream,
  cid: string,
  { open, authenticate, authoriser, log }: PlainServiceComponents,
): Promise<PlainFile | undefined> {
  try {
    authoriser.authorise(await authenticate(stream.peerId, undefined), "content:read", { cid });
    return await open(cid);
  } catch (error) {
    log.debug({ peer: stream.peerId, cid, reason: messageOf(error) }, "a file is not served");
    return undefined;
  }
}

async function sendRange(
  stream: ByteStream,
  file: PlainFile,
  range: { readonly start: number; readonly end: number },
): Promise<void> {
  for await (const chunk of file.stream(range)) {
    for (let at = 0; at < chunk.byteLength; at += FILE_PIECE_BYTES) {
      await sendPiece(stream, chunk.subarray(at, at + FILE_PIECE_BYTES));
    }
  }
  await stream.close();
}
