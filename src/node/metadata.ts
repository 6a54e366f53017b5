import type { ContentService } from "../content/index.ts";
import { CidcastError, scopeAuthoriser, systemClock } from "../core/index.ts";
import type { Prepare } from "../media/index.ts";
import { answers, createNodeSigner, type Peer, type PeerTables } from "../p2p/index.ts";
import type { Database } from "../store/index.ts";
import {
  createMetadata,
  type Metadata,
  type PeerMetadataOptions,
  queryPeerMetadata,
  serveMetadata,
  servePlainFiles,
  updatePeerMetadata,
  type VerifiedRecord,
} from "../transfer/index.ts";
import { closing } from "./parts.ts";
import { peerPrincipals } from "./peer-principal.ts";
import type { Shared } from "./shared.ts";
import { VERSION } from "./version.ts";

/** Signed records of what content is, here and at peers. */
export interface NodeMetadata extends Metadata {
  /** What a peer knows of content, each record checked against its author's signature. */
  queryPeer(
    peerId: string,
    cid: string,
    options?: PeerMetadataOptions & { readonly author?: string },
  ): Promise<VerifiedRecord[]>;
  /** Gives a peer the record of this node about a CID. `CONFLICT`, `FORBIDDEN` as it answers. */
  updatePeer(
    peerId: string,
    record: VerifiedRecord,
    options?: PeerMetadataOptions & { readonly token?: string },
  ): Promise<{ readonly id: string; readonly version: number }>;
}

/** Opens the records, and answers peers: records, and the bytes of files. */
export async function startMetadata(
  shared: Shared,
  parts: {
    readonly content: ContentService;
    readonly prepare: Prepare;
    readonly database: Database;
    readonly peer: Peer | undefined;
  },
): Promise<NodeMetadata> {
  const { live, log, opened } = shared;
  const { content, prepare, database, peer } = parts;
  const metadata = createMetadata({
    database,
    signer: createNodeSigner(database.tables<PeerTables>()),
    async known(cid) {
      const record = await content.record(cid);
      if (record === undefined) return undefined;
      const { size, contentType } = record;
      return { size, contentType, manifest: await prepare.rootOf(cid) };
    },
    clock: systemClock,
  });
  const needPeer = (): Peer => {
    if (peer !== undefined) return peer;
    throw new CidcastError("FEATURE_DISABLED", "libp2p is switched off or could not start");
  };
  if (peer !== undefined) {
    const authenticate = peerPrincipals(() => live.config);
    const common = { peer, authenticate, authoriser: scopeAuthoriser, log };
    const agent = `cidcast/${VERSION}`;
    const ends: (() => Promise<void>)[] = [];
    if (answers(peer.role, "metadata")) {
      ends.push(await serveMetadata({ ...common, metadata, agent, protocols: () => peer.protocols }));
    }
    const plain = (["file", "transfer"] as const).filter(protocol => answers(peer.role, protocol));
    ends.push(
      await servePlainFiles({
        ...common,
        protocols: plain,
        clock: systemClock,
        async open(cid) {
          // Nobody makes this node search for what it lacks.
          if (!(await content.isLocal(cid)))
            throw new CidcastError("CONTENT_NOT_FOUND", `${cid} is not here`);
          return content.open(cid);
        },
      }),
    );
    opened.push(
      closing("metadata", async () => {
        for (const end of ends) await end();
      }),
    );
  }
  return {
    query: (cid, author) => metadata.query(cid, author),
    update: record => metadata.update(record),
    publish: (cid, fields) => metadata.publish(cid, fields),
    queryPeer: (peerId, cid, { author, ...options } = {}) =>
      queryPeerMetadata(needPeer(), peerId, { cid, ...(author !== undefined && { author }) }, options),
    updatePeer: (peerId, { signed }, { token, ...options } = {}) =>
      updatePeerMetadata(
        needPeer(),
        peerId,
        { record: signed, ...(token !== undefined && { token }) },
        options,
      ),
  };
}
