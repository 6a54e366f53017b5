import { createHash, timingSafeEqual } from "node:crypto";
import type { NodeStatus } from "@cidcast/protocols/node-api";
import type { Config } from "../config/index.ts";
import type { ContentService } from "../content/index.ts";
import { type Action, CidcastError, type Principal, scopeAuthoriser } from "../core/index.ts";
import { type Peer, type RemoteActions, serveRemoteActions } from "../p2p/index.ts";
import type { Transfer, Transfers } from "../transfer/index.ts";
import { closing } from "./parts.ts";
import type { Shared } from "./shared.ts";

/** What any peer may ask: content whose CID it knows, as by bitswap. */
const EVERYBODY: ReadonlySet<Action> = new Set<Action>(["content:read"]);
/** Longest that the answer to `transfer` waits for its end, milliseconds. */
const TRANSFER_WAIT_MS = 2000;
const EVERYTHING: ReadonlySet<string> = new Set(["*"]);

interface RemoteParts {
  readonly peer: Peer;
  readonly content: ContentService;
  readonly transfers: Transfers;
  readonly status: () => Promise<NodeStatus>;
}

/** Answers what peers ask by JSON. What changes anything needs a granted PeerId or the node's token. */
export async function startRemoteActions(shared: Shared, parts: RemoteParts): Promise<void> {
  const { config, log, opened } = shared;
  const stop = await serveRemoteActions({
    peer: parts.peer,
    actions: actionsOf(parts),
    authenticate: peerPrincipals(config),
    authoriser: scopeAuthoriser,
    log,
  });
  opened.push(closing("remote-actions", stop));
}

/** Who a peer is to the protocols that take JSON: what it may do depends on its PeerId, or the token it shows. */
export function peerPrincipals({
  p2p,
  token: expected,
}: Pick<Config, "p2p" | "token">): (peerId: string, token: string | undefined) => Principal {
  const granted = new Set(p2p.grantedPeers);
  return (peerId, token) => principalOf(peerId, token, { granted, expected });
}

function principalOf(
  peerId: string,
  token: string | undefined,
  { granted, expected }: { readonly granted: ReadonlySet<string>; readonly expected: string | undefined },
): Principal {
  const peer = { kind: "peer", id: peerId, door: "libp2p" } as const;
  if (token !== undefined) {
    // Digests have one length, so the comparison tells nothing about the token's.
    if (expected === undefined || !timingSafeEqual(digest(token), digest(expected))) {
      throw new CidcastError("UNAUTHENTICATED", "The token is not this node's");
    }
    return { ...peer, scopes: EVERYTHING };
  }
  return { ...peer, scopes: granted.has(peerId) ? EVERYTHING : EVERYBODY };
}

function digest(text: string): Buffer {
  return createHash("sha256").update(text).digest();
}

function actionsOf({ peer, content, transfers, status }: RemoteParts): RemoteActions {
  /** Peers get what is here: nobody makes this node search for them. */
  const requireLocal = async (cid: string): Promise<void> => {
    if (!(await content.isLocal(cid))) throw new CidcastError("CONTENT_NOT_FOUND", `${cid} is not here`);
  };
  return {
    async open(cid, options) {
      await requireLocal(cid);
      const file = await content.open(cid, options);
      const record = await content.record(cid);
      const contentType = record?.contentType ?? (await content.contentTypeOf(cid, options));
      return {
        size: file.size,
        contentType,
        read: (start, end, reading) => file.read(start, end, reading),
        close: () => file.close(),
      };
    },
    handlers: {
      async stat({ cid }, { signal }) {
        await requireLocal(cid);
        const { type, size, localBlocks, complete } = await content.stat(cid, { signal });
        return { cid, type, size, local_blocks: localBlocks, complete };
      },
      async pin({ cid, name }, { signal }) {
        const pin = await content.pin(cid, { signal, ...(name !== undefined && { name }) });
        return { cid: pin.cid, name: pin.name };
      },
      async unpin({ cid, name }, { signal }) {
        await content.unpin(cid, { signal, ...(name !== undefined && { name }) });
        return { cid };
      },
      async list({ limit, offset }) {
        const query = { ...(limit !== undefined && { limit }), ...(offset !== undefined && { offset }) };
        const { records, total } = await content.list(query);
        return {
          total,
          records: records.map(({ cid, name, size, contentType }) => ({
            cid,
            ...(name !== undefined && { name }),
            size,
            content_type: contentType,
          })),
        };
      },
      async providers({ cid }) {
        const isHere = await content.isLocal(cid);
        return { cid, providers: isHere ? [{ peer_id: peer.id, addresses: [...peer.multiaddrs] }] : [] };
      },
      async transfer({ cid, source }, { principal }) {
        // A peer names peers: addresses of other kinds are for the owner to choose.
        if (source !== undefined && /[/:]/.test(source)) {
          throw new CidcastError("INVALID_REQUEST", "source: it is no PeerId");
        }
        const { id } = await transfers.begin({ cid, from: [source ?? principal.id] });
        return resultOf(await soonOver(transfers, id));
      },
      async health() {
        const { version, parts, peers, contentCount } = await status();
        const isWell = parts.every(part => !part.required || part.state === "ready");
        return { status: isWell ? "ok" : "failed", version, peers, content_count: contentCount };
      },
    },
  };
}

/** A transfer once it is over, or as it is after a while: who asks again hears of the same one. */
async function soonOver(transfers: Transfers, id: string): Promise<Transfer> {
  try {
    return (await transfers.finished(id, { signal: AbortSignal.timeout(TRANSFER_WAIT_MS) })).transfer;
  } catch (error) {
    if (!(error instanceof Error) || error.name !== "TimeoutError") throw error;
    return transfers.transfer(id);
  }
}

function resultOf({
  id,
  cid,
  state,
  blocks,
  bytes,
  totalBytes,
  code,
  message,
}: Transfer): Record<string, unknown> {
  return {
    transfer_id: id,
    cid,
    state,
    blocks,
    bytes,
    ...(totalBytes !== undefined && { total_bytes: totalBytes }),
    ...(code !== undefined && { code, message }),
  };
}
