import type { ClientError } from "@cidcast/client";
import { FALLBACK_AFTER_MS } from "./limits.ts";
import { playableFile } from "./playable-file.ts";

export interface FileFallbackInit {
  readonly node: string;
  readonly token: string | undefined;
  readonly cid: string;
  /** Called with the address of a file that the browser plays by itself. False when it is no longer wanted. */
  readonly onFile: (url: string) => boolean;
  readonly signal: AbortSignal;
}

/** Looks for the file itself when WebRTC does not come up in time, or is not there at all. WebRTC goes on meanwhile. */
export interface FileFallback {
  /** To be called when WebRTC begins to come up. */
  begin(): void;
  /** Whether the file helps out of an error. */
  rescue(error: ClientError): Promise<boolean>;
}

export function createFileFallback(init: FileFallbackInit): FileFallback {
  const { onFile, signal } = init;
  let timer: ReturnType<typeof setTimeout> | undefined;
  let looking: Promise<boolean> | undefined;
  const look = (): Promise<boolean> => {
    looking ??= playableFile(init)
      .then(url => url !== undefined && !signal.aborted && onFile(url))
      .finally(() => {
        looking = undefined;
      });
    return looking;
  };
  signal.addEventListener("abort", () => clearTimeout(timer), { once: true });
  return {
    begin() {
      clearTimeout(timer);
      timer = setTimeout(() => void look(), FALLBACK_AFTER_MS);
    },
    rescue: async error => error.code === "FEATURE_DISABLED" && look(),
  };
}
