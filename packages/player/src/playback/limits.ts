/** Waits between attempts to connect: half a second for a blip, then half as long again each time, up to 15 s: two minutes in all. */
export const RECONNECT = { firstMs: 500, maxMs: 15_000, factor: 1.5, jitter: 0.1, maxAttempts: 16 } as const;
/** How long WebRTC may take to come up before the file itself is tried, ms. */
export const FALLBACK_AFTER_MS = 4_000;
/** Longest try whether the browser plays the file itself, ms. */
export const FILE_PROBE_MS = 10_000;
