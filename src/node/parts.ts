import type { NodePart } from "@cidcast/protocols/node-api";
import type { Logger, Service } from "../core/index.ts";

/** The parts of a node and how they are. */
export class Parts {
  readonly #log: Logger;
  readonly #parts = new Map<string, NodePart>();

  constructor(log: Logger) {
    this.#log = log;
  }

  ready(name: string, required: boolean, reason?: string): void {
    this.#parts.set(name, { name, state: "ready", reason, required });
  }

  /** It works, with less than it should have. */
  degraded(name: string, reason: string): void {
    this.#parts.set(name, { name, state: "degraded", reason, required: false });
  }

  disabled(name: string, reason: string): void {
    this.#parts.set(name, { name, state: "disabled", reason, required: false });
  }

  failed(name: string, reason: string): void {
    this.#log.debug({ name, reason }, "part failed");
    this.#parts.set(name, { name, state: "failed", reason, required: false });
  }

  reason(name: string): string | undefined {
    return this.#parts.get(name)?.reason;
  }

  list(): NodePart[] {
    return [...this.#parts.values()];
  }
}

/** Something that only has to be closed, as a service. */
export function closing(name: string, close: () => Promise<void> | void): Service {
  return { name, start: async () => undefined, stop: async () => close() };
}
