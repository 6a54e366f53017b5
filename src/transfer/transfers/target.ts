import { peerIdFromString } from "@libp2p/peer-id";
import { CidcastError } from "../../core/index.ts";
import type { TransferProtocol } from "../select-protocol.ts";
import type { Rung, TransferSource } from "./types.ts";

/** Where a node serves the content protocol on WebSockets. */
export const CONTENT_SOCKET_PATH = "/ws/content";
/** Longest text of a source, characters. */
const MAX_SOURCE_LENGTH = 2048;

/** The rungs to what the text names. `INVALID_REQUEST` when it names nothing. */
export function sourcesOf(text: string, token: string | undefined): TransferSource[] {
  if (text.length > MAX_SOURCE_LENGTH) throw invalid(`longer than ${MAX_SOURCE_LENGTH} characters`);
  if (text.startsWith("/")) {
    const peerId = /\/p2p\/([^/]+)$/.exec(text)?.[1];
    if (peerId === undefined) throw invalid(`${text} ends in no /p2p/<PeerId>`);
    return [{ rung: "libp2p", peerId: checkedPeerId(peerId), addresses: [text] }];
  }
  if (!text.includes("://")) return [{ rung: "libp2p", peerId: checkedPeerId(text) }];
  const url = URL.parse(text);
  if (url === null || url.username !== "" || url.password !== "") {
    throw invalid("an address has the form http://host:port, without user and password");
  }
  const base = `${url.host}${url.pathname.replace(/\/$/, "")}`;
  switch (url.protocol) {
    case "http:":
      return [
        { rung: "websocket", url: `ws://${base}${CONTENT_SOCKET_PATH}`, token },
        { rung: "http", url: `http://${base}`, token },
      ];
    case "https:":
      return [
        { rung: "websocket", url: `wss://${base}${CONTENT_SOCKET_PATH}`, token },
        { rung: "http", url: `https://${base}`, token },
      ];
    case "ws:":
    case "wss:":
      return [{ rung: "websocket", url: `${url.protocol}//${base}`, token }];
    default:
      throw invalid(`${url.protocol} is none of http, https, ws and wss`);
  }
}

/** Name of a source in records and logs: no secrets. */
export function nameOf(source: TransferSource): string {
  return source.rung === "libp2p" ? source.peerId : source.url;
}

/** Rungs in the order they are tried. */
export function rungOrder(protocol: TransferProtocol): readonly Rung[] {
  return protocol === "websocket" ? ["websocket", "libp2p", "http"] : ["libp2p", "websocket", "http"];
}

function checkedPeerId(text: string): string {
  try {
    return peerIdFromString(text).toString();
  } catch (cause) {
    throw new CidcastError(
      "INVALID_REQUEST",
      `from: ${text.slice(0, 80)} is no PeerId, multiaddr or address`,
      {
        cause,
      },
    );
  }
}

function invalid(why: string): CidcastError {
  return new CidcastError("INVALID_REQUEST", `from: ${why}`);
}
