import {
  type ContentReply,
  type ErrorReply,
  MAX_REPLY_BYTES,
  MAX_REQUEST_BYTES,
  REMOTE_ACTION_PROTOCOL,
  type RemoteReply,
  type RemoteRequest,
  remoteRequest,
} from "@cidcast/protocols/ipfs-kit-mcp";
import {
  type AbortOptions,
  CidcastError,
  type Principal,
  toCidcastError,
  withTimeout,
} from "../../core/index.ts";
import type { PeerStream } from "../streams/index.ts";
import { type FirstObject, readFirstObject } from "./first-object.ts";
import { type RemoteActionComponents, type RemoteContent, REQUIRED_RIGHT } from "./types.ts";

/** Longest a peer may take to send its request, milliseconds. */
export const REQUEST_TIMEOUT_MS = 10_000;

/** Longest an action may take, milliseconds: a pin may fetch. */
export const ACTION_TIMEOUT_MS = 120_000;

/** Streams of this protocol a peer may hold open. */
export const MAX_ACTION_STREAMS_PER_PEER = 16;

/** Protocol that brings content too large for a reply. */
const CONTENT_PROTOCOL = "/ipfs-kit/content/1.0.0";

/** Room in a reply for everything but the content, bytes of JSON. */
const ENVELOPE_BYTES = 8 * 1024;

/** Bytes of JSON handed to the transport at once. */
const SEND_PIECE_BYTES = 256 * 1024;

export interface RemoteActionInit {
  /** Longest a peer may take to send its request, milliseconds; default {@link REQUEST_TIMEOUT_MS}. */
  readonly requestTimeoutMs?: number;
  /** Longest an action may take, milliseconds; default {@link ACTION_TIMEOUT_MS}. */
  readonly actionTimeoutMs?: number;
}

/** Answers `/ipfs-kit/mcp/1.0.0`; gives what ends it. */
export function serveRemoteActions(
  components: RemoteActionComponents,
  init: RemoteActionInit = {},
): Promise<() => Promise<void>> {
  return components.peer.registerProtocolHandler(
    REMOTE_ACTION_PROTOCOL,
    stream => answer(stream, components, init),
    {
      maxInboundStreams: MAX_ACTION_STREAMS_PER_PEER,
      runOnLimitedConnection: true,
    },
  );
}

async function answer(
  stream: PeerStream,
  components: RemoteActionComponents,
  init: RemoteActionInit,
): Promise<void> {
  const { requestTimeoutMs = REQUEST_TIMEOUT_MS, actionTimeoutMs = ACTION_TIMEOUT_MS } = init;
  let requestId: string | undefined;
  let reply: RemoteReply;
  try {
    const first = await withTimeout(requestTimeoutMs, "Reading the request", signal =>
      readFirstObject(stream, { maxBytes: MAX_REQUEST_BYTES, signal }),
    );
    if (components.messages !== undefined && isMessages(first)) {
      await components.messages(stream, first);
      return;
    }
    requestId = requestIdOf(first.value);
    const request = parseRequest(first.value);
    reply = await withTimeout(actionTimeoutMs, request.action, signal =>
      act(request, stream.peerId, { ...components, signal }),
    );
  } catch (error) {
    const { code, message } = toCidcastError(error);
    components.log.debug({ peer: stream.peerId, code }, "remote action failed");
    reply = { success: false, code, error: message } satisfies ErrorReply;
  }
  await send(stream, requestId === undefined ? reply : { ...reply, request_id: requestId });
}

/** True for a stream of JSON-RPC messages, or one that begins with who asks. */
function isMessages({ value }: FirstObject): boolean {
  if (typeof value !== "object" || value === null) return false;
  return "jsonrpc" in value || ("action" in value && value.action === "authenticate");
}

async function act(
  request: RemoteRequest,
  peerId: string,
  components: RemoteActionComponents & AbortOptions,
): Promise<RemoteReply> {
  const { actions, authenticate, authoriser, signal } = components;
  const principal = await authenticate(peerId, request.token);
  const resource = "cid" in request ? { cid: request.cid } : {};
  authoriser.authorise(principal, REQUIRED_RIGHT[request.action], resource);
  if (request.action === "get_content") {
    const content = await actions.open(request.cid, { principal, signal });
    try {
      return await contentReply(request, content, components);
    } finally {
      await content.close();
    }
  }
  return { success: true, action: request.action, result: await run(request, principal, components) };
}

function run(
  request: Exclude<RemoteRequest, { action: "get_content" }>,
  principal: Principal,
  { actions, signal }: RemoteActionComponents & AbortOptions,
): Promise<Record<string, unknown>> {
  // The handler is looked up by the request's own action, so it takes this request.
  const handler = actions.handlers[request.action] as
    | ((
        request: RemoteRequest,
        context: AbortOptions & { principal: Principal },
      ) => Promise<Record<string, unknown>>)
    | undefined;
  if (handler === undefined) {
    throw new CidcastError("FEATURE_DISABLED", `This node does not answer ${request.action}`);
  }
  return handler(request, { principal, signal });
}

async function contentReply(
  request: Extract<RemoteRequest, { action: "get_content" }>,
  content: RemoteContent,
  { peer, signal }: RemoteActionComponents & AbortOptions,
): Promise<ContentReply> {
  const offset = request.offset ?? 0;
  if (offset > content.size) {
    throw new CidcastError("RANGE_NOT_SATISFIABLE", `The content ends at ${content.size}`);
  }
  const end = Math.min(content.size, offset + (request.length ?? content.size));
  const base = {
    success: true,
    action: "get_content",
    cid: request.cid,
    size: content.size,
    content_type: content.contentType,
    offset,
    encoding: "base64",
  } as const;
  if (Math.ceil((end - offset) / 3) * 4 > MAX_REPLY_BYTES - ENVELOPE_BYTES) {
    return { ...base, content: null, protocol: CONTENT_PROTOCOL, peer_id: peer.id };
  }
  const bytes = await content.read(offset, end, { signal });
  return { ...base, content: Buffer.from(bytes).toString("base64") };
}

function parseRequest(value: unknown): RemoteRequest {
  const parsed = remoteRequest.safeParse(value);
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  throw new CidcastError(
    "INVALID_REQUEST",
    `${issue?.path.join(".") || "The request"}: ${issue?.message ?? "cannot be read"}`,
  );
}

/** The request id of anything that has one, so that an error can carry it too. */
function requestIdOf(value: unknown): string | undefined {
  if (typeof value !== "object" || value === null || !("request_id" in value)) return undefined;
  const { request_id: id } = value;
  return typeof id === "string" && id.length <= MAX_REQUEST_BYTES ? id : undefined;
}

async function send(stream: PeerStream, reply: RemoteReply): Promise<void> {
  const json = Buffer.from(JSON.stringify(limited(reply)));
  const signal = AbortSignal.timeout(ACTION_TIMEOUT_MS);
  for (let at = 0; at < json.byteLength; at += SEND_PIECE_BYTES) {
    if (!stream.send(json.subarray(at, at + SEND_PIECE_BYTES))) await stream.drained({ signal });
  }
  await stream.close({ signal });
}

/** A reply within the limit: a result that is too large becomes an error. */
function limited(reply: RemoteReply): RemoteReply {
  if (!("result" in reply) || Buffer.byteLength(JSON.stringify(reply)) <= MAX_REPLY_BYTES) return reply;
  return {
    success: false,
    code: "PAYLOAD_TOO_LARGE",
    error: `The reply would be larger than ${MAX_REPLY_BYTES} bytes`,
    ...(reply.request_id === undefined ? {} : { request_id: reply.request_id }),
  };
}
