import { isDeepStrictEqual } from "node:util";
import { OPTIONS } from "./options.ts";
import type { Config } from "./schema.ts";

/** Settings that a running node takes over when it is told to read them again; all others need a restart. */
export const RELOADABLE: ReadonlySet<string> = new Set([
  "logLevel",
  "debug",
  "allowedHosts",
  "corsOrigins",
  "webrtc.maxSessions",
  "content.denylists",
  "p2p.grantedPeers",
  "p2p.peerTokens",
  "p2p.serve",
  "drainTimeoutMs",
]);

/** Paths of the settings that differ. */
export interface ConfigChanges {
  readonly reloadable: readonly string[];
  readonly restart: readonly string[];
}

/** What has changed from one configuration to the next, by whether it needs a restart. */
export function configChanges(before: Config, after: Config): ConfigChanges {
  const changed = OPTIONS.map(option => option.path).filter(
    path => !isDeepStrictEqual(at(before, path), at(after, path)),
  );
  return {
    reloadable: changed.filter(path => RELOADABLE.has(path)),
    restart: changed.filter(path => !RELOADABLE.has(path)),
  };
}

function at(config: Config, path: string): unknown {
  return path
    .split(".")
    .reduce<unknown>(
      (place, part) =>
        typeof place === "object" && place !== null ? (place as Record<string, unknown>)[part] : undefined,
      config,
    );
}
