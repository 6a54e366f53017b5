import { textFrame } from "../../notify/index.ts";
import { MAX_BUFFERED_BYTES } from "../limits.ts";
import type { Farewell, Link, Presence } from "../types.ts";

/** Close code of a member that does not read. */
const SLOW_MEMBER = 4008;

export interface LocalMember extends Presence {
  readonly link: Link;
  farewell: Farewell | undefined;
  held: readonly string[];
  lastSeenMs: number;
}

export interface RemoteMember extends Presence {
  readonly node: string;
  readonly farewell: Farewell | undefined;
}

/** Who is in one room. */
export interface Room {
  readonly space: string;
  readonly name: string;
  readonly createdAtMs: number;
  readonly maxMembers: number;
  /** Digest of the password; undefined: none is needed. */
  password: string | undefined;
  readonly local: Map<string, LocalMember>;
  readonly remote: Map<string, RemoteMember>;
}

/** Sends a text to members of this node; its frame is made once. One that has stopped reading is put out. */
export function deliver(members: Iterable<LocalMember>, text: string): void {
  let frame: Buffer | undefined;
  const slow: LocalMember[] = [];
  for (const member of members) {
    const { link } = member;
    if (link.bufferedBytes() > MAX_BUFFERED_BYTES) slow.push(member);
    else if (link.sendFrames === undefined) link.send(text);
    else {
      frame ??= textFrame(text);
      link.sendFrames(frame);
    }
  }
  for (const { link } of slow) link.end(SLOW_MEMBER, "this member does not read its messages");
}

export function farewellText(farewell: Farewell, nowMs: number): string {
  const stamped = "timestamp" in farewell ? { timestamp: new Date(nowMs).toISOString() } : {};
  return JSON.stringify({ ...farewell, ...stamped });
}
