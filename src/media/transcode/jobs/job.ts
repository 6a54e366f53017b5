import { type Cancel, CidcastError, type Clock, type Logger, toCidcastError } from "../../../core/index.ts";
import type { MediaPacket, PacketReader } from "../../demux/track.ts";
import { EARLY_END_SECONDS, TRANSCODE_RUN_AHEAD_SECONDS, TRANSCODE_STALL_MS } from "../../limits.ts";
import type { Segment } from "../../types.ts";
import type { FromChild, LiveJobSpec, Packet } from "../protocol.ts";
import type { EncoderPool } from "./encoder-pool.ts";
import type { EncoderProcess } from "./encoder-process.ts";
import { Assembler, type Gop } from "./gop.ts";
import { PACE_LEVELS, PaceController } from "./pace.ts";
import { Progress } from "./progress.ts";

/** Batches that the child may have in hand: enough that it never waits for the next one. */
const BATCHES_IN_FLIGHT = 3;

/** Packets of one batch: a quarter of a second of pictures, half a second of sound. */
const BATCH_PACKETS = { video: 8, audio: 25 } as const;

/** Sound decoded before the place asked for, seconds, so that decoder and encoder have settled there. */
const AUDIO_LEAD_IN_SECONDS = 0.35;

/** GOPs that a job remembers itself, for those who wait for them. */
const REMEMBERED_GOPS = 4;

/** Times that a job starts a new child after the one it had has died. */
const MAX_RESTARTS = 1;

/** What a job is made of. */
export interface JobInit {
  /** Names CID, track and profile: the first part of each GOP's key. */
  readonly name: string;
  readonly startSecond: number;
  readonly durationSeconds: number;
  readonly packets: PacketReader;
  /** How the job is set up to begin at a time. */
  readonly spec: (fromUs: number) => LiveJobSpec;
  readonly pool: EncoderPool;
  readonly clock: Clock;
  readonly log: Logger;
  readonly onGop: (gop: Gop) => void;
  readonly onSegment: (gop: Gop, segment: Segment) => void;
  /** It leaves out more pictures than before, or fewer: 0 is none. */
  readonly onPace: (level: number) => void;
  /** Once, when the job is over: why, and the error if it failed. */
  readonly onOver: (reason: string, error: CidcastError | undefined) => void;
}

/** One run of an encoder from a place onwards. It stays a bounded distance ahead of what is asked for. */
export class TranscodeJob {
  readonly kind: "video" | "audio";
  /** Those who read from it. */
  readonly readers = new Set<object>();
  readonly progress = new Progress();
  readonly #init: JobInit;
  readonly #recent: Gop[] = [];
  readonly #room = new Progress();
  #assembler: Assembler;
  #encoder: EncoderProcess | undefined;
  #startSecond: number;
  #wantedSecond: number;
  #touchedMs: number;
  #inFlight = 0;
  /** Counts the children it has had. */
  #run = 0;
  /** Its number in the child. */
  #job = 0;
  #restarts = 0;
  #state: "running" | "ended" | "failed" | "stopped" = "running";
  #error: CidcastError | undefined;
  #stall: Cancel | undefined;
  readonly #pace = new PaceController();
  /** Time of the last frame that was made, seconds of media. */
  #madeSeconds: number | undefined;
  /** Where the last packet that was read ends, seconds of media. */
  #readSeconds = 0;
  /** It has all of the media: what is not out yet comes as fast as it can. */
  #fedAll = false;

  constructor(init: JobInit) {
    this.#init = init;
    this.kind = init.spec(0).kind;
    this.#startSecond = init.startSecond;
    this.#wantedSecond = init.startSecond;
    this.#touchedMs = init.clock.monotonicMs();
    this.#assembler = this.#newAssembler();
    this.#begin();
  }

  get running(): boolean {
    return this.#state === "running";
  }

  /** How it went, once it is over: at the end of the media, with an error, or stopped from outside. */
  get outcome(): "running" | "ended" | "failed" | "stopped" {
    return this.#state;
  }

  /** Why it failed. */
  get error(): CidcastError | undefined {
    return this.#error;
  }

  /** Process id of the child, while there is one. */
  get pid(): number | undefined {
    return this.#encoder?.pid;
  }

  /** How many pictures it leaves out: an index into {@link PACE_LEVELS}. */
  get paceLevel(): number {
    return this.#pace.level;
  }

  /** Milliseconds since anybody has asked for anything. */
  get idleMs(): number {
    return this.#init.clock.monotonicMs() - this.#touchedMs;
  }

  /** It has not made yet what was asked of it: somebody may be waiting. */
  get owing(): boolean {
    return (this.#assembler.gop?.second ?? Number.NEGATIVE_INFINITY) <= this.#wantedSecond;
  }

  /** Looked over now and then: where it does not keep up with its readers pictures are left out rather than shown late. */
  keepPace(): void {
    const { clock, log, name } = this.#init;
    if (this.kind !== "video" || !this.running || this.#madeSeconds === undefined) return;
    // Where it has nothing to do, it has all the distance there can be.
    const works = !this.#fedAll && (this.#mayFeed() || this.#inFlight > 0);
    const ahead = works ? this.#madeSeconds - this.#wantedSecond : Number.POSITIVE_INFINITY;
    if (!this.#pace.observe(clock.monotonicMs(), ahead)) return;
    if (this.#pace.level > 0 && this.#assembler.gop !== undefined) this.#assembler.gop.paced = true;
    log.warn({ job: name, level: this.#pace.level }, "the encoder leaves out pictures to keep up");
    this.#init.onPace(this.#pace.level);
    this.#sendPace();
  }

  #sendPace(): void {
    const pace = PACE_LEVELS[this.#pace.level] ?? PACE_LEVELS[0];
    this.#encoder?.send({ type: "pace", job: this.#job, ...pace });
  }

  /** Seconds that it has to make before that one; undefined when it is past it or over. */
  secondsUntil(second: number): number | undefined {
    const from = this.#assembler.gop?.second ?? this.#startSecond;
    return this.running && second >= from ? second - from : undefined;
  }

  /** The first GOP it made at or after `second`, of the last few. */
  firstFrom(second: number): Gop | undefined {
    return this.#recent.find(gop => gop.second >= second && !gop.cutOff);
  }

  /** Somebody needs that second: the job goes on until it is well past it. */
  want(second: number): void {
    this.#touchedMs = this.#init.clock.monotonicMs();
    if (second <= this.#wantedSecond) return;
    this.#wantedSecond = second;
    this.#room.made();
  }

  stop(reason: string): void {
    this.#over("stopped", reason);
  }

  #newAssembler(): Assembler {
    const { name, onSegment } = this.#init;
    return new Assembler({
      kind: this.kind,
      name,
      events: {
        begun: gop => {
          gop.paced = this.#pace.level > 0;
          this.#recent.push(gop);
          if (this.#recent.length > REMEMBERED_GOPS) this.#recent.shift();
          this.#init.onGop(gop);
          this.progress.made();
        },
        grown: (gop, segment) => onSegment(gop, segment),
      },
    });
  }

  #begin(): void {
    const run = ++this.#run;
    this.#inFlight = 0;
    this.#fedAll = false;
    this.#work(run).catch((error: unknown) => {
      if (run === this.#run) this.#fail(toCidcastError(error));
    });
  }

  async #work(run: number): Promise<void> {
    const encoder = await this.#init.pool.take().catch((error: unknown) => {
      if (run === 1) throw error;
      throw new CidcastError("TRANSCODE_FAILED", "The encoder died and does not start again", {
        cause: error,
      });
    });
    if (run !== this.#run || !this.running) return this.#init.pool.giveBack(encoder);
    this.#encoder = encoder;
    void encoder.exited.then(why => this.#died(run, why));
    const job = encoder.nextJob();
    this.#job = job;
    encoder.listen(message => this.#hear(job, message));
    encoder.send({ type: "open", job, spec: this.#init.spec(this.#startSecond * 1e6) });
    if (this.#pace.level > 0) this.#sendPace();
    await this.#feed(job, encoder, () => run === this.#run && this.running);
  }

  async #feed(job: number, encoder: EncoderProcess, current: () => boolean): Promise<void> {
    let packet = await this.#firstPacket();
    while (packet !== undefined && current()) {
      if (!this.#mayFeed()) {
        await this.#room.next();
        continue;
      }
      const batch: MediaPacket[] = [];
      while (packet !== undefined && batch.length < BATCH_PACKETS[this.kind]) {
        batch.push(packet);
        this.#readSeconds = Math.max(this.#readSeconds, packet.timestamp + packet.duration);
        packet = await this.#init.packets.next(packet);
      }
      if (!current()) return;
      this.#inFlight += 1;
      this.#watch();
      encoder.send({
        type: "packets",
        job,
        packets: batch.map(({ data, timestamp, type }) => ({
          data,
          ptsUs: timestamp * 1e6,
          key: type === "key",
        })),
      });
    }
    if (!current()) return;
    this.#fedAll = true;
    encoder.send({ type: "end", job });
  }

  #firstPacket(): Promise<MediaPacket | undefined> {
    const { packets } = this.#init;
    if (this.kind === "video") return packets.keyAt(this.#startSecond);
    const from = this.#startSecond - AUDIO_LEAD_IN_SECONDS;
    return from <= 0 ? packets.first() : packets.at(from).then(packet => packet ?? packets.first());
  }

  #mayFeed(): boolean {
    const made = this.#assembler.gop?.second ?? this.#startSecond;
    return this.#inFlight < BATCHES_IN_FLIGHT && made <= this.#wantedSecond + TRANSCODE_RUN_AHEAD_SECONDS;
  }

  #hear(job: number, message: FromChild): void {
    if (job !== this.#job || !this.running || !("job" in message) || message.job !== job) return;
    if (message.type === "frames") {
      for (const frame of message.frames) this.#take(frame);
    } else if (message.type === "ack") {
      this.#inFlight -= 1;
      this.#watch();
    } else if (message.type === "ended") {
      this.#assembler.finish(this.#endSeconds);
      this.#over("ended", "the media ended");
    } else if (message.type === "failed") {
      this.#fail(new CidcastError("TRANSCODE_FAILED", `The encoder cannot do this: ${message.message}`));
    }
    this.#room.made();
  }

  /** Where the media ends: as the file says, or well before that where it is cut off. */
  get #endSeconds(): number {
    const { durationSeconds } = this.#init;
    return durationSeconds - this.#readSeconds > EARLY_END_SECONDS ? this.#readSeconds : durationSeconds;
  }

  #take(frame: Packet): void {
    const { durationSeconds } = this.#init;
    // The last sound is padded to whole frames; what lies past the end is padding alone.
    if (this.kind === "audio" && durationSeconds > 0 && frame.ptsUs >= durationSeconds * 1e6) return;
    this.#madeSeconds = frame.ptsUs / 1e6;
    this.#assembler.push(frame);
  }

  /** A child that is given work and says nothing is as good as dead. */
  #watch(): void {
    this.#stall?.();
    this.#stall =
      this.#inFlight > 0
        ? this.#init.clock.after(TRANSCODE_STALL_MS, () => this.#encoder?.kill())
        : undefined;
  }

  #died(run: number, why: string): void {
    if (run !== this.#run || !this.running) return;
    const gop = this.#assembler.gop;
    this.#stall?.();
    this.#assembler.cutOff();
    this.#encoder = undefined;
    if (this.#restarts >= MAX_RESTARTS) {
      this.#fail(new CidcastError("TRANSCODE_FAILED", `The encoder died again: ${why}`));
      return;
    }
    this.#restarts += 1;
    this.#init.log.warn({ why, job: this.#init.name }, "the encoder died, it is started again");
    // Readers that have begun a GOP go on with the next; one that nobody has seen is made anew.
    if (gop !== undefined) this.#startSecond = gop.segments.length > 0 ? gop.second + 1 : gop.second;
    this.#begin();
    this.#room.made();
  }

  #fail(error: CidcastError): void {
    this.#error = error;
    this.#over("failed", error.message);
  }

  #over(state: "ended" | "failed" | "stopped", reason: string): void {
    if (!this.running) return;
    this.#state = state;
    this.#stall?.();
    this.#assembler.cutOff();
    const encoder = this.#encoder;
    this.#encoder = undefined;
    if (encoder !== undefined) {
      encoder.send({ type: "close", job: this.#job });
      this.#init.pool.giveBack(encoder);
    }
    this.#room.made();
    this.#init.onOver(reason, this.#error);
    this.progress.made();
  }
}
