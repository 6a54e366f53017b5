import { type AbortOptions, raceSignal, SingleFlight } from "../../core/index.ts";
import type { MediaMetrics } from "../metrics.ts";

/** What the store keeps: one GOP or one segment of it. */
export interface Stored {
  readonly byteLength: number;
}

/**
 * Encoded media of all open files, shared by all who watch: one load per key at a time, the least recently used goes
 * when the limit is passed. What is dropped stays valid for those who hold it.
 */
export class GopStore<T extends Stored> {
  readonly #maxBytes: number;
  readonly #metrics: MediaMetrics;
  readonly #entries = new Map<string, { readonly value: T; bytes: number }>();
  readonly #loads = new SingleFlight<string, T | undefined>();
  #bytes = 0;

  constructor(maxBytes: number, metrics: MediaMetrics) {
    this.#maxBytes = maxBytes;
    this.#metrics = metrics;
  }

  /** Bytes kept now. */
  get bytes(): number {
    return this.#bytes;
  }

  get size(): number {
    return this.#entries.size;
  }

  /** What is kept under `key`; it counts as used. */
  get(key: string): T | undefined {
    const entry = this.#entries.get(key);
    if (entry === undefined) return undefined;
    this.#entries.delete(key);
    this.#entries.set(key, entry);
    return entry.value;
  }

  /** What is kept under `key`, or what `load` gives now. A caller who gives up does not stop the load for the others. */
  async load(
    key: string,
    load: () => Promise<T | undefined>,
    options: AbortOptions = {},
  ): Promise<T | undefined> {
    const kept = this.get(key);
    this.#metrics.gopRequests.add(1, { result: kept === undefined ? "miss" : "hit" });
    if (kept !== undefined) return kept;
    const loading = this.#loads.run(key, async () => {
      const value = await load();
      if (value !== undefined) this.put(key, value);
      return value;
    });
    return raceSignal(loading, options.signal);
  }

  /** Keeps `value`, in place of what was there. */
  put(key: string, value: T): void {
    this.delete(key);
    this.#entries.set(key, { value, bytes: value.byteLength });
    this.#bytes += value.byteLength;
    this.#evict();
  }

  /** Counts anew what has grown since it was put. */
  resize(key: string): void {
    const entry = this.#entries.get(key);
    if (entry === undefined) return;
    this.#bytes += entry.value.byteLength - entry.bytes;
    entry.bytes = entry.value.byteLength;
    this.#evict();
  }

  delete(key: string): void {
    const entry = this.#entries.get(key);
    if (entry === undefined) return;
    this.#entries.delete(key);
    this.#bytes -= entry.bytes;
  }

  clear(): void {
    this.#entries.clear();
    this.#bytes = 0;
  }

  #evict(): void {
    for (const [key, entry] of this.#entries) {
      if (this.#bytes <= this.#maxBytes) return;
      this.#entries.delete(key);
      this.#bytes -= entry.bytes;
      this.#metrics.gopEvictions.add(1);
    }
  }
}
