import { createHmac } from "node:crypto";
import { CidcastError } from "../../core/index.ts";
import type { IceServer } from "../types.ts";

const STUN_PORT = 3478;
const STUN_URL = /^stun:(\[[^\]]+\]|[^:?]+)(?::(\d{1,5}))?$/;

/**
 * The STUN server among `urls`, as address and port; undefined without one. TURN servers are for viewers, who are told of
 * them with their offer; the node itself does not use one. Throws `INVALID_CONFIG` for what is neither.
 */
export function parseStunServer(urls: readonly string[]): readonly [string, number] | undefined {
  let found: readonly [string, number] | undefined;
  for (const url of urls) {
    if (isTurn(url)) continue;
    const [, host, port] = STUN_URL.exec(url) ?? [];
    if (host === undefined) {
      throw new CidcastError("INVALID_CONFIG", `webrtc.iceServers: ${url} is not a stun: or turn: URL`);
    }
    found ??= [host.replace(/^\[|\]$/g, ""), port === undefined ? STUN_PORT : Number(port)];
  }
  return found;
}

/**
 * What a viewer is told of the servers: TURN servers with credentials that are its own and end, as
 * draft-uberti-behave-turn-rest has them. Without a secret TURN servers are told as they are, for those that ask no name.
 * @see https://datatracker.ietf.org/doc/html/draft-uberti-behave-turn-rest-00#section-2.2
 */
export function viewerIceServers(init: {
  readonly urls: readonly string[];
  readonly turnSecret: string | undefined;
  readonly ttlSeconds: number;
  /** Tells viewers apart in the server's log; never a secret. */
  readonly viewer: string;
  readonly nowMs: number;
}): IceServer[] {
  const { urls, turnSecret, ttlSeconds, viewer, nowMs } = init;
  const stun = urls.filter(url => !isTurn(url));
  const turn = urls.filter(isTurn);
  const servers: IceServer[] = stun.length === 0 ? [] : [{ urls: stun }];
  if (turn.length === 0) return servers;
  if (turnSecret === undefined) return [...servers, { urls: turn }];
  const username = `${Math.floor(nowMs / 1000) + ttlSeconds}:${viewer}`;
  const credential = createHmac("sha1", turnSecret).update(username).digest("base64");
  return [...servers, { urls: turn, username, credential }];
}

function isTurn(url: string): boolean {
  return /^turns?:/.test(url);
}
