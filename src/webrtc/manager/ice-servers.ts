import { CidcastError } from "../../core/index.ts";

const STUN_PORT = 3478;
const STUN_URL = /^stun:(\[[^\]]+\]|[^:?]+)(?::(\d{1,5}))?$/;

/**
 * The STUN server among `urls`, as address and port; undefined without one. TURN servers are for viewers, who are told of
 * them over WHEP; the node itself does not use one. Throws `INVALID_CONFIG` for what is neither.
 */
export function parseStunServer(urls: readonly string[]): readonly [string, number] | undefined {
  let found: readonly [string, number] | undefined;
  for (const url of urls) {
    if (/^turns?:/.test(url)) continue;
    const [, host, port] = STUN_URL.exec(url) ?? [];
    if (host === undefined) {
      throw new CidcastError("INVALID_CONFIG", `webrtc.iceServers: ${url} is not a stun: or turn: URL`);
    }
    found ??= [host.replace(/^\[|\]$/g, ""), port === undefined ? STUN_PORT : Number(port)];
  }
  return found;
}
