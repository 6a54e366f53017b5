import { createHash } from "node:crypto";
import { mkdirSync, readFileSync, renameSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Config } from "../config/index.ts";
import {
  ContentDenylist,
  DENYLIST_TIMEOUT_MS,
  type DenylistSource,
  MAX_DENYLIST_BYTES,
} from "../content/index.ts";
import { CidcastError, messageOf, systemClock } from "../core/index.ts";
import { closing } from "./parts.ts";
import type { Shared } from "./shared.ts";

/** Lines of a list that cannot be followed and are named in the log. */
const MAX_BAD_LINES_TOLD = 5;

/** The denylist of a node, kept up to date. */
export interface NodeDenylist {
  readonly list: ContentDenylist;
  /** Hears of other lists in force; gives what ends it. */
  onChange(listener: () => void): () => void;
}

/**
 * Reads the lists that the settings name, and reads them again on a reload and from time to time. A list that cannot be had
 * keeps the node from starting; later the last one that could be read stays in force. Lists from addresses are kept in the
 * data directory, so that a start needs no network.
 */
export async function startDenylist({ config, live, log, metrics, opened }: Shared): Promise<NodeDenylist> {
  const list = new ContentDenylist(metrics);
  const listeners = new Set<() => void>();
  const lists = new Lists(join(config.dataDir, "denylists"));
  const apply = ({ content }: Config): void => {
    for (const { name, bad } of list.replace(lists.read(content.denylists))) {
      if (bad.length === 0) continue;
      const told = bad.slice(0, MAX_BAD_LINES_TOLD).map(({ line, reason }) => `${line}: ${reason}`);
      log.warn(
        { list: name, lines: bad.length, first: told },
        "a denylist has lines that cannot be followed",
      );
    }
    for (const listener of listeners) listener();
  };
  const refresh = async (next: Config): Promise<void> => {
    for (const url of next.content.denylists.filter(isUrl)) {
      try {
        await lists.fetch(url);
      } catch (error) {
        log.warn(
          { list: url, reason: messageOf(error) },
          "a denylist did not come; the last one is in force",
        );
      }
    }
    apply(next);
  };
  await lists.fetchMissing(config.content.denylists);
  apply(config);
  let work: Promise<void> = Promise.resolve();
  const again = (next: Config): void => {
    const before = work;
    work = (async () => {
      await before;
      try {
        await refresh(next);
      } catch (error) {
        log.warn({ reason: messageOf(error) }, "denylists stay as they were");
      }
    })();
  };
  live.follow(next => {
    // What is at hand counts at once and is told when it is wrong; what has to be fetched comes later.
    apply(next);
    if (next.content.denylists.some(isUrl)) again(next);
  });
  const everyMs = config.content.denylistRefreshMs;
  const stop = everyMs > 0 ? systemClock.every(everyMs, () => again(live.config)) : undefined;
  opened.push(
    closing("denylist", async () => {
      stop?.();
      await work;
    }),
  );
  return {
    list,
    onChange(listener) {
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
  };
}

function isUrl(source: string): boolean {
  return /^https?:\/\//.test(source);
}

/** The texts of lists: files as they are, those of addresses as they last came. */
class Lists {
  readonly #directory: string;

  constructor(directory: string) {
    this.#directory = directory;
  }

  /** `INVALID_CONFIG` when a file cannot be read. A list of an address that has not come yet is left out. */
  read(sources: readonly string[]): DenylistSource[] {
    return sources.flatMap(name => {
      if (!isUrl(name)) return [{ name, text: textOf(name) }];
      const text = this.#kept(name);
      return text === undefined ? [] : [{ name, text }];
    });
  }

  /** Fetches what was never fetched. `INVALID_CONFIG` when it cannot be had. */
  async fetchMissing(sources: readonly string[]): Promise<void> {
    for (const url of sources.filter(isUrl)) {
      if (this.#kept(url) !== undefined) continue;
      try {
        await this.fetch(url);
      } catch (cause) {
        const why = `The denylist ${url} cannot be had, and there is no copy of it: ${messageOf(cause)}`;
        throw new CidcastError("INVALID_CONFIG", why, { cause });
      }
    }
  }

  async fetch(url: string): Promise<void> {
    const response = await fetch(url, { signal: AbortSignal.timeout(DENYLIST_TIMEOUT_MS) });
    if (!response.ok || response.body === null) throw new Error(`it answered ${response.status}`);
    const parts: Uint8Array[] = [];
    let bytes = 0;
    for await (const part of response.body) {
      bytes += part.byteLength;
      if (bytes > MAX_DENYLIST_BYTES) throw new Error(`it has more than ${MAX_DENYLIST_BYTES} bytes`);
      parts.push(part);
    }
    const text = Buffer.concat(parts);
    mkdirSync(this.#directory, { recursive: true });
    const file = this.#file(url);
    writeFileSync(`${file}.tmp`, text);
    renameSync(`${file}.tmp`, file);
  }

  #file(url: string): string {
    return join(this.#directory, `${createHash("sha256").update(url).digest("hex")}.deny`);
  }

  #kept(url: string): string | undefined {
    try {
      return readFileSync(this.#file(url), "utf8");
    } catch (error) {
      if (error instanceof Error && "code" in error && error.code === "ENOENT") return undefined;
      throw error;
    }
  }
}

function textOf(file: string): string {
  try {
    if (statSync(file).size > MAX_DENYLIST_BYTES)
      throw new Error(`it has more than ${MAX_DENYLIST_BYTES} bytes`);
    return readFileSync(file, "utf8");
  } catch (cause) {
    throw new CidcastError("INVALID_CONFIG", `The denylist ${file} cannot be read: ${messageOf(cause)}`, {
      cause,
    });
  }
}
