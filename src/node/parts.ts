import type { NodePart } from "@cidcast/protocols/node-api";
import type { Logger, Service } from "../core/index.ts";

/** The parts of a node and how they are. */
export class Parts {
  readonly #log: Logger;
  readonly #onTrouble: (message: string, state: "degraded" | "failed") => void;
  readonly #parts = new Map<string, NodePart>();

  /** `onTrouble` is told, in words, of each part that comes to be degraded or failed. */
  constructor(
    log: Logger,
    onTrouble: (message: string, state: "degraded" | "failed") => void = () => undefined,
  ) {
    this.#log = log;
    this.#onTrouble = onTrouble;
  }

  ready(name: string, required: boolean, reason?: string): void {
    this.#parts.set(name, { name, state: "ready", reason, required });
  }

  /** It works, with less than it should have. */
  degraded(name: string, reason: string): void {
    if (this.reason(name) !== reason) this.#onTrouble(`${name} is degraded: ${reason}`, "degraded");
    this.#parts.set(name, { name, state: "degraded", reason, required: false });
  }

  disabled(name: string, reason: string): void {
    this.#parts.set(name, { name, state: "disabled", reason, required: false });
  }

  failed(name: string, reason: string): void {
    this.#log.debug({ name, reason }, "part failed");
    this.#onTrouble(`${name} has failed: ${reason}`, "failed");
    this.#parts.set(name, { name, state: "failed", reason, required: false });
  }

  /** The node is about to stop: it is not ready for anybody new. */
  draining(reason: string): void {
    this.#parts.set("node", { name: "node", state: "degraded", reason, required: true });
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
