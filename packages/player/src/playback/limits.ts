/** Waits between attempts to connect: at once for a blip, then up to 10 s, for about two minutes in all. */
export const RECONNECT = { firstMs: 250, maxMs: 10_000, factor: 2, jitter: 0.3, maxAttempts: 16 } as const;
/** How long WebRTC may take to come up before the file itself is tried, ms. */
export const FALLBACK_AFTER_MS = 4_000;
/** Longest try whether the browser plays the file itself, ms. */
export const FILE_PROBE_MS = 10_000;
