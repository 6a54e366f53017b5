import type { Content } from "../../content/index.ts";

/** Starts the time of finding content; gives the `Server-Timing` that says where its root came from and how long it took. */
export async function timed(content: Content, cid: string): Promise<() => string> {
  const startedMs = performance.now();
  // What is no CID at all is told by whoever reads it.
  const isLocal = await content.isLocal(cid).catch(() => false);
  return () =>
    `find;desc="${isLocal ? "local" : "network"}";dur=${(performance.now() - startedMs).toFixed(1)}`;
}
