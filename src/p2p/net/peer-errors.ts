import { type Multiaddr, multiaddr } from "@multiformats/multiaddr";
import { CidcastError, isCidcastError, messageOf } from "../../core/index.ts";
import { MAX_MULTIADDR_LENGTH } from "../limits.ts";

/** Makes what libp2p throws one of our errors; `what` says what was tried. */
export function toPeerError(error: unknown, what: string, signal: AbortSignal | undefined): CidcastError {
  if (isCidcastError(error)) return error;
  if (signal?.aborted === true) {
    if (isCidcastError(signal.reason)) return signal.reason;
    return new CidcastError("ABORTED", `${what} was aborted`, { cause: error });
  }
  const name = error instanceof Error ? error.name : "";
  if (name === "UnsupportedProtocolError") {
    return new CidcastError("PROTOCOL_UNSUPPORTED", `${what}: the peer does not speak this protocol`, {
      cause: error,
    });
  }
  if (name === "TooManyOutboundProtocolStreamsError" || name === "TooManyInboundProtocolStreamsError") {
    return new CidcastError("LIMIT_REACHED", `${what}: too many streams of this protocol are open`, {
      cause: error,
    });
  }
  return new CidcastError("PEER_UNREACHABLE", `${what}: ${messageOf(error)}`, { cause: error });
}

/** Parses a multiaddr; `INVALID_REQUEST` when it is none. */
export function parseMultiaddr(text: string): Multiaddr {
  if (text.length > MAX_MULTIADDR_LENGTH) {
    throw new CidcastError("INVALID_REQUEST", `A multiaddr has at most ${MAX_MULTIADDR_LENGTH} characters`);
  }
  try {
    return multiaddr(text);
  } catch (cause) {
    throw new CidcastError(
      "INVALID_REQUEST",
      `"${text}" is not a multiaddr: write one like /ip4/192.0.2.1/tcp/4001/p2p/12D3…`,
      { cause },
    );
  }
}
