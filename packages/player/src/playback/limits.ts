/** How long a connection may be interrupted before it counts as lost, ms: a change of network takes this long. */
export const INTERRUPTION_MS = 4_000;
/** Longest time from the answer to a connection, ms. */
export const CONNECTED_TIMEOUT_MS = 15_000;
/** Commands kept until the control channel is open: later ones replace nothing, so a viewer cannot fill it. */
export const MAX_WAITING_COMMANDS = 32;
/** How long after the connection the data channel may take before control goes over the signalling socket, ms. */
export const CONTROL_FALLBACK_MS = 5_000;
/** Waits between attempts to connect: at once for a blip, then up to 10 s, for about two minutes in all. */
export const RECONNECT = { firstMs: 250, maxMs: 10_000, factor: 2, jitter: 0.3, maxAttempts: 16 } as const;
/** How long WebRTC may take to come up before the file itself is tried, ms. */
export const FALLBACK_AFTER_MS = 4_000;
/** Longest try whether the browser plays the file itself, ms. */
export const FILE_PROBE_MS = 10_000;
