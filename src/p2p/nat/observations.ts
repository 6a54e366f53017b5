import { isIP } from "node:net";
import { MAX_OBSERVERS } from "../limits.ts";

/** How a NAT maps: not at all, the same outer port for all, or another one for each. */
export type NatKind = "none" | "endpoint-independent" | "endpoint-dependent" | "unknown";

/** What peers see of this node. */
export class Observations {
  /** Outer address by the address of who saw it, the oldest first. */
  readonly #seen = new Map<string, { readonly host: string; readonly port: number }>();

  get size(): number {
    return this.#seen.size;
  }

  /** Where `observer` (an IP address) sees our shared port. */
  note(observer: string, host: string, port: number): void {
    if (isIP(host) === 0) return;
    this.#seen.delete(observer);
    this.#seen.set(observer, { host, port });
    const oldest = this.#seen.keys().next().value;
    if (this.#seen.size > MAX_OBSERVERS && oldest !== undefined) this.#seen.delete(oldest);
  }

  /** Outer addresses that a peer may dial while we dial it, the latest first. */
  candidates(): string[] {
    return [
      ...new Set(
        [...this.#seen.values()]
          .toReversed()
          .map(({ host, port }) => `/${isIP(host) === 6 ? "ip6" : "ip4"}/${host}/tcp/${port}`),
      ),
    ];
  }

  /** `own`: IP addresses of this machine. One observer alone cannot tell the two kinds of NAT apart. */
  kind(own: ReadonlySet<string>): NatKind {
    const seen = [...this.#seen.values()];
    if (seen.length === 0) return "unknown";
    if (seen.every(({ host }) => own.has(host))) return "none";
    if (seen.length === 1) return "unknown";
    const ends = new Set(seen.map(({ host, port }) => `${host} ${port}`));
    return ends.size === 1 ? "endpoint-independent" : "endpoint-dependent";
  }
}
