import { type Cancel, CidcastError } from "../../../core/index.ts";
import { IDLE_ENCODER_MS, MAX_IDLE_ENCODERS } from "../../limits.ts";
import { EncoderProcess, type EncoderProcessInit } from "./encoder-process.ts";

/** Encoder processes: one job each at a time, some kept ready. */
export class EncoderPool {
  readonly #init: EncoderProcessInit & { readonly warm: number };
  readonly #all = new Set<EncoderProcess>();
  readonly #idle: EncoderProcess[] = [];
  #trim: Cancel | undefined;
  #stopped = false;

  constructor(init: EncoderProcessInit & { readonly warm: number }) {
    this.#init = init;
  }

  /** Processes alive now. */
  get size(): number {
    return this.#all.size;
  }

  /** Starts the processes that are kept ready, or as many as will be needed in a moment. */
  warmUp(count = this.#init.warm): void {
    const wanted = Math.min(count, MAX_IDLE_ENCODERS);
    while (!this.#stopped && this.#idle.length < wanted) this.#idle.push(this.#start());
    if (this.#idle.length > this.#init.warm) this.#trimLater();
  }

  /**
   * A process of one's own that is ready. One that was idle is asked for a sign of life first: a machine that was
   * suspended, or a program that was stopped, leaves some that never answer. `ENCODER_MISSING` when none starts,
   * `SHUTTING_DOWN` once the pool is stopped.
   */
  async take(): Promise<EncoderProcess> {
    for (;;) {
      if (this.#stopped)
        throw new CidcastError("SHUTTING_DOWN", "The node stops and starts no encoder any more");
      const idle = this.#idle.shift();
      const taken = idle ?? this.#start();
      // One that has only just said that it can work needs not say so again.
      const isNew = !taken.isReady;
      try {
        await taken.ready;
      } catch (error) {
        // Killed while it waited, it tells nothing of the next: one that is started for this call does.
        if (idle === undefined) throw error;
        continue;
      }
      if (isNew || (await taken.answers())) return taken;
      this.#init.log.warn({ pid: taken.pid }, "an idle encoder gave no sign of life and is replaced");
      taken.kill();
    }
  }

  /** Gives a process back for the next job. */
  giveBack(encoder: EncoderProcess): void {
    encoder.listen(undefined);
    if (encoder.gone) return;
    if (this.#stopped || this.#idle.length >= MAX_IDLE_ENCODERS) {
      void encoder.stop();
      return;
    }
    this.#idle.push(encoder);
    this.#trimLater();
  }

  #trimLater(): void {
    this.#trim ??= this.#init.clock.after(IDLE_ENCODER_MS, () => {
      this.#trim = undefined;
      for (const surplus of this.#idle.splice(this.#init.warm)) void surplus.stop();
    });
  }

  /** Ends every process; resolves when they are gone. */
  async stop(): Promise<void> {
    this.#stopped = true;
    this.#trim?.();
    this.#idle.length = 0;
    await Promise.all([...this.#all].map(encoder => encoder.stop()));
  }

  #start(): EncoderProcess {
    const encoder = new EncoderProcess(this.#init);
    this.#all.add(encoder);
    void encoder.exited.then(() => {
      this.#all.delete(encoder);
      const at = this.#idle.indexOf(encoder);
      if (at >= 0) this.#idle.splice(at, 1);
    });
    return encoder;
  }
}
