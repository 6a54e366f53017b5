import { CID } from "multiformats/cid";
import type { ContentService } from "../content/index.ts";
import { type Logger, messageOf } from "../core/index.ts";
import { membersOf, type Peer } from "../p2p/index.ts";
import type { Shared } from "./shared.ts";

/** Directories and lists that are read of one root: what they name belongs together. */
const MAX_PARENTS_READ = 64;

/**
 * Learns from what is added and what was transferred which content belongs together, so that who served one part of it is
 * asked first for the others. What peers are asked for block by block tells the same on its way. Gives what ends it.
 */
export function learnSiblings(
  events: Shared["events"],
  parts: { readonly peer: Peer; readonly content: ContentService; readonly log: Logger },
): () => void {
  const { peer, content, log } = parts;
  const learn = async (root: string): Promise<void> => {
    const waiting = [root];
    for (let read = 0; read < MAX_PARENTS_READ; read++) {
      const text = waiting.shift();
      if (text === undefined) return;
      const cid = CID.parse(text);
      const bytes = await content.blocks.get(cid);
      const members = bytes === undefined ? [] : membersOf(cid, bytes);
      peer.reputation.relate(text, members);
      waiting.push(...members.filter(isParent));
    }
  };
  const onRoot = ({ data }: { readonly data: { readonly cid: string } }): void => {
    learn(data.cid).catch((error: unknown) => {
      log.debug({ cid: data.cid, reason: messageOf(error) }, "what belongs to content was not learnt");
    });
  };
  const ends = [events.on("content_added", onRoot), events.on("transfer_completed", onRoot)];
  return () => {
    for (const end of ends) end();
  };
}

/** True for what may name others: leaves do not. */
function isParent(cid: string): boolean {
  return !cid.startsWith("bafkrei");
}
