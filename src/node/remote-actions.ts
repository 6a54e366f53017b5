import type { NodeStatus } from "@cidcast/protocols/node-api";
import type { Config } from "../config/index.ts";
import type { ContentService } from "../content/index.ts";
import { CidcastError, type Principal, scopeAuthoriser } from "../core/index.ts";
import type { Mcp } from "../mcp/index.ts";
import { type Peer, type RemoteActions, serveRemoteActions } from "../p2p/index.ts";
import type { Transfer, Transfers } from "../transfer/index.ts";
import type { OwnedContent, Tenancy } from "../tenancy/index.ts";
import { closing } from "./parts.ts";
import { createPeerMcp } from "./peer-mcp.ts";
import { everybodyMay, livePeerPrincipals } from "./peer-principal.ts";
import type { Shared } from "./shared.ts";

/** Longest that the answer to `transfer` waits for its end, milliseconds. */
const TRANSFER_WAIT_MS = 2000;

interface RemoteParts {
  readonly peer: Peer;
  readonly content: ContentService;
  readonly transfers: Transfers;
  readonly status: () => Promise<NodeStatus>;
  readonly tenancy: Tenancy;
  /** Undefined: MCP is off. */
  readonly mcp: Mcp | undefined;
}

/**
 * Answers what peers ask over `/ipfs-kit/mcp/1.0.0`: by JSON, and by MCP. What changes anything needs a granted PeerId, the
 * node's token, or a tenant's.
 */
export async function startRemoteActions(shared: Shared, parts: RemoteParts): Promise<void> {
  const { live, log, opened } = shared;
  const { peer, tenancy, mcp } = parts;
  const known = ({ token, p2p }: Config) => ({
    token,
    tenancy,
    peerTokens: p2p.peerTokens,
    granted: p2p.grantedPeers,
  });
  const authenticate = livePeerPrincipals(live, config => ({
    ...known(config),
    everybody: everybodyMay(config),
    playback: true,
  }));
  const stop = await serveRemoteActions({
    peer,
    actions: actionsOf(parts),
    authenticate: (peerId, token) => authenticate(peerId, { token }),
    authoriser: scopeAuthoriser,
    messages: mcp && createPeerMcp({ mcp, authenticate: livePeerPrincipals(live, known), log }),
    log,
  });
  opened.push(closing("remote-actions", stop));
}

/** Content as one caller sees it. */
function viewOf({ content, tenancy }: RemoteParts, { tenantId }: Principal): OwnedContent {
  return tenantId === undefined ? content : tenancy.contentView(content, tenantId);
}

/** What works for the whole node is its owner's. */
function requireOwner({ tenantId }: Principal, action: string): void {
  if (tenantId !== undefined) throw new CidcastError("FORBIDDEN", `A tenant's token may not ${action}`);
}

function actionsOf(parts: RemoteParts): RemoteActions {
  const { peer, content, transfers, status, tenancy } = parts;
  /** Peers get what is here: nobody makes this node search for them. Tenants get what is theirs. */
  const requireLocal = async (cid: string, principal: Principal): Promise<void> => {
    await tenancy.content.requireRead(principal, cid.split("/", 1)[0] ?? "");
    if (!(await content.isLocal(cid))) throw new CidcastError("CONTENT_NOT_FOUND", `${cid} is not here`);
  };
  return {
    async open(cid, { principal, ...options }) {
      await requireLocal(cid, principal);
      const file = await content.open(cid, options);
      const record = await viewOf(parts, principal).record(cid);
      const contentType = record?.contentType ?? (await content.contentTypeOf(cid, options));
      return {
        size: file.size,
        contentType,
        read: (start, end, reading) => file.read(start, end, reading),
        close: () => file.close(),
      };
    },
    handlers: {
      async stat({ cid }, { principal, signal }) {
        await requireLocal(cid, principal);
        const { type, size, localBlocks, complete } = await content.stat(cid, { signal });
        return { cid, type, size, local_blocks: localBlocks, complete };
      },
      async pin({ cid, name }, { principal, signal }) {
        const pin = await viewOf(parts, principal).pin(cid, { signal, ...(name !== undefined && { name }) });
        return { cid: pin.cid, name: pin.name };
      },
      async unpin({ cid, name }, { principal, signal }) {
        await viewOf(parts, principal).unpin(cid, { signal, ...(name !== undefined && { name }) });
        return { cid };
      },
      async list({ limit, offset }, { principal }) {
        const query = { ...(limit !== undefined && { limit }), ...(offset !== undefined && { offset }) };
        const { records, total } = await viewOf(parts, principal).list(query);
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
      async providers({ cid }, { principal }) {
        requireOwner(principal, "ask for providers");
        const isHere = await content.isLocal(cid);
        return { cid, providers: isHere ? [{ peer_id: peer.id, addresses: [...peer.multiaddrs] }] : [] };
      },
      async transfer({ cid, source }, { principal }) {
        requireOwner(principal, "transfer");
        // A peer names peers: addresses of other kinds are for the owner to choose.
        if (source !== undefined && /[/:]/.test(source)) {
          throw new CidcastError("INVALID_REQUEST", "source: it is no PeerId");
        }
        const { id } = await transfers.begin({ cid, from: [source ?? principal.id] });
        return resultOf(await soonOver(transfers, id));
      },
      async health(_request, { principal }) {
        requireOwner(principal, "ask for the node's health");
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
