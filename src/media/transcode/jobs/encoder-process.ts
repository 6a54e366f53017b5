import { type ChildProcess, fork } from "node:child_process";
import { setPriority } from "node:os";
import { fileURLToPath } from "node:url";
import { CidcastError, type Clock, type Logger } from "../../../core/index.ts";
import { ENCODER_PING_MS, ENCODER_START_MS } from "../../limits.ts";
import { ENCODER_MISSING_HINT } from "../encoder.ts";
import { type FromChild, fromChildSchema, type ToChild } from "../protocol.ts";

const ENTRY = fileURLToPath(new URL("../child.ts", import.meta.url));

/** Lines of an encoder's complaints that are kept for the log. */
const STDERR_TAIL_CHARS = 2000;

/** Longest that a child may take to go when its channel is closed, milliseconds; then it is killed. */
const EXIT_GRACE_MS = 500;

/** Scheduling priority of encoders: below everything else of the node, yet a third of a busy core where others want it too. */
const NICENESS = 5;

export interface EncoderProcessInit {
  readonly ffmpegPath: string | undefined;
  /** Scheduling priority, -20 to 19; default: that of live transcodes. */
  readonly niceness?: number;
  /** Longest wait until it can work, milliseconds; default: what a viewer can be asked to wait. */
  readonly startMs?: number;
  /** Longest wait for a sign of life of an idle process, milliseconds; default: what a viewer can be asked to wait. */
  readonly pingMs?: number;
  /** Folder of the node's own for compiled code, which halves the time that a process takes to start. */
  readonly codeCacheDir?: string | undefined;
  readonly log: Logger;
  readonly clock: Clock;
}

/** One child process that encodes, at low priority. */
export class EncoderProcess {
  /** Resolves with the encoder's name once the child can work; rejects with `ENCODER_MISSING` when it cannot. */
  readonly ready: Promise<string>;
  /** Resolves when the process is gone, with what it said last. */
  readonly exited: Promise<string>;
  readonly #child: ChildProcess;
  readonly #clock: Clock;
  #listener: ((message: FromChild) => void) | undefined;
  #pong: (() => void) | undefined;
  #stderr = "";
  readonly #pingMs: number;
  #jobs = 0;
  #isReady = false;
  #gone = false;

  constructor(init: EncoderProcessInit) {
    this.#clock = init.clock;
    this.#pingMs = init.pingMs ?? ENCODER_PING_MS;
    const ffmpeg = init.ffmpegPath === undefined ? {} : { FFMPEG_PATH: init.ffmpegPath };
    const cache = init.codeCacheDir === undefined ? {} : { NODE_COMPILE_CACHE: init.codeCacheDir };
    this.#child = fork(ENTRY, {
      serialization: "advanced",
      // No inspector, loader or coverage flag of the node's own is meant for the child.
      execArgv: [],
      // A demuxer's reads wait in threads for bytes that come over the channel.
      // SVT-AV1 tells of itself on stderr unless it is kept to errors.
      env: { PATH: process.env["PATH"], UV_THREADPOOL_SIZE: "16", SVT_LOG: "1", ...ffmpeg, ...cache },
      stdio: ["ignore", "ignore", "pipe", "ipc"],
    });
    lowerPriority(this.#child, init.niceness ?? NICENESS, init.log);
    this.#child.stderr?.on("data", (chunk: Buffer) => {
      this.#stderr = (this.#stderr + chunk.toString()).slice(-STDERR_TAIL_CHARS);
    });
    const { promise: exited, resolve: onExit } = Promise.withResolvers<string>();
    this.exited = exited;
    const ended = (why: string): void => {
      this.#gone = true;
      onExit(`${why} ${this.#stderr}`.trim());
    };
    this.#child.once("exit", (code, signal) => ended(`ended with ${signal ?? `code ${code}`}`));
    this.#child.once("error", error => ended(error.message));
    this.ready = this.#waitReady(init.startMs ?? ENCODER_START_MS);
    // Whoever needs the child looks at `ready`; a warm one may fail before anybody does.
    this.ready.catch(() => undefined);
  }

  get pid(): number | undefined {
    return this.#child.pid;
  }

  /** False while it starts. */
  get isReady(): boolean {
    return this.#isReady;
  }

  get gone(): boolean {
    return this.#gone;
  }

  /** A number for a job in this process, used once: what a job before says late is told apart by it. */
  nextJob(): number {
    this.#jobs += 1;
    return this.#jobs;
  }

  /** Who hears what the child says from now on. */
  listen(listener: ((message: FromChild) => void) | undefined): void {
    this.#listener = listener;
  }

  /** Sends a message; one to a child that is gone is dropped, `exited` tells. */
  send(message: ToChild): void {
    if (this.#gone || !this.#child.connected) return;
    this.#child.send(message, () => undefined);
  }

  /** Ends the child; resolves when it is gone. */
  async stop(): Promise<void> {
    if (this.#gone) return;
    this.#listener = undefined;
    if (this.#child.connected) this.#child.disconnect();
    const cancel = this.#clock.after(EXIT_GRACE_MS, () => this.#child.kill("SIGKILL"));
    await this.exited;
    cancel();
  }

  /** False when the child is gone, or does not answer for so long that it must be taken for that. */
  async answers(): Promise<boolean> {
    if (this.#gone) return false;
    const { promise, resolve } = Promise.withResolvers<boolean>();
    this.#pong = () => resolve(true);
    const cancel = this.#clock.after(this.#pingMs, () => resolve(false));
    void this.exited.then(() => resolve(false));
    this.send({ type: "ping" });
    const answered = await promise;
    cancel();
    this.#pong = undefined;
    return answered && !this.#gone;
  }

  /** Ends the child at once. */
  kill(): void {
    this.#child.kill("SIGKILL");
  }

  async #waitReady(startMs: number): Promise<string> {
    const { promise, resolve, reject } = Promise.withResolvers<string>();
    const missing = (reason: string): CidcastError =>
      new CidcastError("ENCODER_MISSING", `${ENCODER_MISSING_HINT} (${reason})`);
    this.#child.on("message", (raw: unknown) => {
      const parsed = fromChildSchema.safeParse(raw);
      if (!parsed.success) return;
      const message = parsed.data;
      if (message.type === "ready") resolve(message.encoder);
      else if (message.type === "missing") reject(missing(message.reason));
      else if (message.type === "pong") this.#pong?.();
      else this.#listener?.(message);
    });
    const cancel = this.#clock.after(startMs, () => {
      reject(missing(`it was not ready after ${startMs} ms`));
      this.kill();
    });
    void this.exited.then(why => reject(missing(why)));
    try {
      const encoder = await promise;
      this.#isReady = true;
      return encoder;
    } finally {
      cancel();
    }
  }
}

/** Viewers come first: encoders run when nothing else wants the processor. */
function lowerPriority(child: ChildProcess, niceness: number, log: Logger): void {
  if (child.pid === undefined) return;
  try {
    setPriority(child.pid, niceness);
  } catch (error) {
    log.debug({ err: error }, "the encoder's priority could not be lowered");
  }
}
