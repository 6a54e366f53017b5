/** WebSockets at a time where nobody says; further upgrades are told `BUSY`. An idle one costs about 10 KB. */
const MAX_SOCKETS = 10_000;
/** WebSockets at a time from one address: less than all, so that one machine cannot take every place. */
const MAX_SOCKETS_PER_ADDRESS = 1500;
/** Largest message that is read, bytes. An SDP with every track and candidate is under 64 KiB. */
const MAX_MESSAGE_BYTES = 256 * 1024;
/** Bytes that may wait to be sent on one socket; a client that reads slower than this is cut off. */
const MAX_OUTGOING_BYTES = 4 * 1024 * 1024;
/** Messages of one socket being handled at a time; reading pauses until one is done. */
const MAX_PENDING_MESSAGES = 32;
/** Time from the handshake to the first message, milliseconds: sheds sockets that never speak. */
const FIRST_MESSAGE_TIMEOUT_MS = 30_000;
/** Time between two keep-alive pings, milliseconds. One that is not answered by the next ends the socket. */
const PING_INTERVAL_MS = 30_000;
/** Time the other side gets to answer a close, milliseconds. */
const CLOSE_TIMEOUT_MS = 1000;

/** The limits of one router. All of them are the constants of this file unless told otherwise. */
export interface WebSocketLimits {
  readonly maxSockets: number;
  readonly maxSocketsPerAddress: number;
  readonly maxMessageBytes: number;
  readonly maxOutgoingBytes: number;
  readonly maxPendingMessages: number;
  readonly firstMessageTimeoutMs: number;
  readonly pingIntervalMs: number;
  readonly closeTimeoutMs: number;
}

export const DEFAULT_WEB_SOCKET_LIMITS: WebSocketLimits = {
  maxSockets: MAX_SOCKETS,
  maxSocketsPerAddress: MAX_SOCKETS_PER_ADDRESS,
  maxMessageBytes: MAX_MESSAGE_BYTES,
  maxOutgoingBytes: MAX_OUTGOING_BYTES,
  maxPendingMessages: MAX_PENDING_MESSAGES,
  firstMessageTimeoutMs: FIRST_MESSAGE_TIMEOUT_MS,
  pingIntervalMs: PING_INTERVAL_MS,
  closeTimeoutMs: CLOSE_TIMEOUT_MS,
};
