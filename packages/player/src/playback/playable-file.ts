import { createNodeClient, mediaOf } from "@cidcast/client";
import { FILE_PROBE_MS } from "./limits.ts";

export interface PlayableFileInit {
  readonly node: string;
  readonly token: string | undefined;
  readonly cid: string;
  readonly signal: AbortSignal;
}

/** Address of the content as a file, when the browser plays that file by itself: it has tried. Undefined otherwise. */
export async function playableFile(init: PlayableFileInit): Promise<string | undefined> {
  const { node, token, cid } = init;
  const late = new AbortController();
  const timer = setTimeout(() => late.abort(), FILE_PROBE_MS);
  const signal = AbortSignal.any([init.signal, late.signal]);
  const client = createNodeClient({ node, ...(token === undefined ? {} : { token }) });
  try {
    const record = await client.record(cid, { signal });
    const video = document.createElement("video");
    if (video.canPlayType(record.contentType) === "") return undefined;
    const hasPicture = mediaOf(record)?.tracks.some(track => track.kind === "video") ?? false;
    const path = cid.split("/").map(encodeURIComponent).join("/");
    const url = client.url(`/ipfs/${path}`, { token }).href;
    const width = await loadedWidth(video, url, signal);
    // A browser that knows only the sound's codec would play a file's sound without its picture.
    return width === undefined || (hasPicture && width === 0) ? undefined : url;
  } catch {
    // Without a record it is not known what the file is: WebRTC goes on as it would.
    return undefined;
  } finally {
    clearTimeout(timer);
  }
}

/** Width of the picture, pixels, 0 without one; undefined when the browser cannot play the file. */
async function loadedWidth(
  video: HTMLVideoElement,
  url: string,
  signal: AbortSignal,
): Promise<number | undefined> {
  const { promise, resolve } = Promise.withResolvers<number | undefined>();
  video.preload = "metadata";
  video.addEventListener("loadedmetadata", () => resolve(video.videoWidth), { once: true });
  video.addEventListener("error", () => resolve(undefined), { once: true });
  signal.addEventListener("abort", () => resolve(undefined), { once: true });
  video.src = url;
  const width = await promise;
  video.removeAttribute("src");
  // Ends the fetch.
  video.load();
  return width;
}
