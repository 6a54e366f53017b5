import {
  type ContentReply,
  MAX_REPLY_BYTES,
  REMOTE_ACTION_PROTOCOL,
  type RemoteRequest,
  type ResultReply,
  remoteReply,
} from "@cidcast/protocols/ipfs-kit-mcp";
import { CidcastError, withTimeout } from "../../core/index.ts";
import type { ConnectOptions, Peer } from "../types.ts";
import { readJson } from "./json-stream.ts";
import { ACTION_TIMEOUT_MS } from "./serve.ts";

/** Asks a peer for one action. Throws what the peer answers, `PEER_UNREACHABLE` or `PROTOCOL_UNSUPPORTED`. */
export async function callPeer(
  peer: Pick<Peer, "newStream">,
  peerId: string,
  request: RemoteRequest,
  options: ConnectOptions = {},
): Promise<ContentReply | ResultReply> {
  const stream = await peer.newStream(peerId, REMOTE_ACTION_PROTOCOL, options);
  try {
    stream.send(Buffer.from(JSON.stringify(request)));
    await stream.close(options);
    const value = await withTimeout(
      ACTION_TIMEOUT_MS,
      `${request.action} at ${peerId}`,
      signal => readJson(stream, { maxBytes: MAX_REPLY_BYTES, signal }),
      options,
    );
    const reply = remoteReply.safeParse(value);
    if (!reply.success) throw new CidcastError("INVALID_REQUEST", `The reply of ${peerId} cannot be read`);
    if (!reply.data.success) throw new CidcastError(reply.data.code, reply.data.error);
    return reply.data;
  } catch (error) {
    stream.abort(error instanceof Error ? error : new Error(String(error)));
    throw error;
  }
}
