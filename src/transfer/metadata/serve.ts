import {
  MAX_METADATA_REPLY_BYTES,
  MAX_METADATA_REQUEST_BYTES,
  METADATA_PROTOCOL,
  type MetadataReply,
  metadataReply,
  type MetadataRequest,
  metadataRequest,
  type SignedRecord,
} from "@cidcast/protocols/ipfs-kit-metadata";
import {
  type AbortOptions,
  type Authoriser,
  CidcastError,
  type Logger,
  type Principal,
  toCidcastError,
  withTimeout,
} from "../../core/index.ts";
import { readJson } from "../../p2p/index.ts";
import { JSON_REQUEST_TIMEOUT_MS, MAX_PLAIN_STREAMS_PER_PEER } from "../limits.ts";
import type { ProtocolHost } from "../protocol/content-service.ts";
import { sendAll } from "../plain/send-all.ts";
import type { StreamOpener } from "../strategies/libp2p.ts";
import type { ByteStream } from "../types.ts";
import type { Metadata } from "./metadata.ts";
import { type VerifiedRecord, verifyRecord } from "./signed.ts";

export interface MetadataServiceComponents {
  readonly peer: ProtocolHost & { readonly id: string };
  readonly metadata: Metadata;
  readonly agent: string;
  /** Protocols that the node speaks, as it tells others. */
  readonly protocols: () => readonly string[];
  /** Who a peer is, by its PeerId and the token it gave. */
  readonly authenticate: (peerId: string, token: string | undefined) => Principal | Promise<Principal>;
  readonly authoriser: Authoriser;
  readonly log: Logger;
}

/** Answers `/ipfs-kit/metadata/1.0.0`; gives what ends it. */
export function serveMetadata(components: MetadataServiceComponents): Promise<() => Promise<void>> {
  return components.peer.registerProtocolHandler(METADATA_PROTOCOL, stream => answer(stream, components), {
    maxInboundStreams: MAX_PLAIN_STREAMS_PER_PEER,
  });
}

async function answer(stream: ByteStream, components: MetadataServiceComponents): Promise<void> {
  let reply: MetadataReply;
  let requestId: string | undefined;
  try {
    const value = await withTimeout(JSON_REQUEST_TIMEOUT_MS, "Reading the request", signal =>
      readJson(stream, { maxBytes: MAX_METADATA_REQUEST_BYTES, signal, orNothing: true }),
    );
    const request = requestOf(value);
    requestId = request.request_id;
    reply = await act(request, stream.peerId, components);
  } catch (error) {
    const { code, message, details } = toCidcastError(error);
    components.log.debug({ peer: stream.peerId, code }, "metadata request failed");
    // Set by this domain alone, in this form.
    const current = details?.["current"] as { id: string; version: number } | undefined;
    reply = { success: false, code, error: message, ...(current !== undefined && { current }) };
  }
  const said = requestId === undefined ? reply : { ...reply, request_id: requestId };
  await sendAll(stream, Buffer.from(JSON.stringify(said)));
}

function requestOf(value: unknown): MetadataRequest {
  const asked = typeof value === "object" && value !== null && "action" in value;
  if (!asked) return { action: "info" };
  const parsed = metadataRequest.safeParse(value);
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  throw new CidcastError("INVALID_REQUEST", `${issue?.path.join(".") ?? ""}: ${issue?.message ?? ""}`);
}

async function act(
  request: MetadataRequest,
  peerId: string,
  components: MetadataServiceComponents,
): Promise<MetadataReply> {
  const { metadata, authenticate, authoriser, peer, agent, protocols } = components;
  if (request.action === "info") {
    const capabilities = ["metadata", "metadata-update", "pins"];
    const told = { peer_id: peer.id, agent_version: agent, protocols: [...protocols()], capabilities };
    return { success: true, action: "info", ...told };
  }
  if (request.action === "query") {
    const { cid, author } = request;
    authoriser.authorise(await authenticate(peerId, undefined), "content:read", { cid });
    const records = await metadata.query(cid, author);
    return {
      success: true,
      action: "query",
      cid,
      records: records.map(({ id, signed }) => ({ id, ...signed })),
    };
  }
  const principal = await authenticate(peerId, request.token);
  authoriser.authorise(principal, "content:add");
  const { id, payload } = await metadata.update(request.record);
  return { success: true, action: "update", id, version: payload.version };
}

export type PeerMetadataOptions = AbortOptions & { readonly addresses?: readonly string[] };

/** Asks a peer what it knows of content. What is not signed by its author is an error: `FORBIDDEN`. */
export async function queryPeerMetadata(
  peer: StreamOpener,
  peerId: string,
  request: { readonly cid: string; readonly author?: string },
  options: PeerMetadataOptions = {},
): Promise<VerifiedRecord[]> {
  const reply = await ask(peer, peerId, { action: "query", ...request }, options);
  if (!("records" in reply)) throw unreadable(peerId);
  const records = await Promise.all(reply.records.map(verifyRecord));
  if (records.every(({ payload }) => payload.cid === request.cid)) return records;
  throw new CidcastError("INVALID_REQUEST", `${peerId} tells of other content than was asked for`);
}

/** Gives a peer a record. Throws what it answers: `CONFLICT`, `FORBIDDEN`. */
export async function updatePeerMetadata(
  peer: StreamOpener,
  peerId: string,
  request: { readonly record: SignedRecord; readonly token?: string },
  options: PeerMetadataOptions = {},
): Promise<{ readonly id: string; readonly version: number }> {
  const reply = await ask(peer, peerId, { action: "update", ...request }, options);
  if (!("version" in reply)) throw unreadable(peerId);
  return reply;
}

async function ask(
  peer: StreamOpener,
  peerId: string,
  request: MetadataRequest,
  options: PeerMetadataOptions,
): Promise<Exclude<MetadataReply, { success: false }>> {
  const stream = await peer.newStream(peerId, METADATA_PROTOCOL, options);
  try {
    await sendAll(stream, Buffer.from(JSON.stringify(request)));
    const value = await withTimeout(
      JSON_REQUEST_TIMEOUT_MS,
      `${request.action} at ${peerId}`,
      signal => readJson(stream, { maxBytes: MAX_METADATA_REPLY_BYTES, signal }),
      options,
    );
    const parsed = metadataReply.safeParse(value);
    if (!parsed.success) throw unreadable(peerId);
    if (parsed.data.success) return parsed.data;
    const { code, error, current } = parsed.data;
    throw new CidcastError(code, error, current === undefined ? {} : { details: { current } });
  } catch (error) {
    stream.abort(error instanceof Error ? error : new Error(String(error)));
    throw error;
  }
}

function unreadable(peerId: string): CidcastError {
  return new CidcastError("PROTOCOL_UNSUPPORTED", `The reply of ${peerId} cannot be read`);
}
