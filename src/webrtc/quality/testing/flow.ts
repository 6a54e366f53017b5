import { FRAME_KEY, type Segment } from "../../../media/index.ts";
import { BandwidthEstimator } from "../../congestion/index.ts";
import { type PathInit, SimulatedPath } from "../../congestion/testing-link.ts";
import { Pacer } from "../../player/pacer.ts";
import { Player } from "../../player/player.ts";
import { packetiseSegment } from "../../rtp/packetise/index.ts";
import { h264Frame } from "../../testing/fake-media.ts";
import { Adaptation } from "../adaptation.ts";
import { firstRung } from "../rung-decider.ts";
import { SupplyMeter } from "../supply-meter.ts";
import type { QualityDecision, QualityWish, Rung } from "../types.ts";

const TICK_MS = 5;
const FEEDBACK_MS = 50;
const FPS = 30;
const SOUND_BPS = 64_000;
/** A keyframe is so many times an ordinary picture. */
const KEY_FACTOR = 8;
/** Header, extensions and tag of a packet, bytes. */
const OVERHEAD = 44;
const CLOCK_OFFSET_MS = 77_777;

/** The presets of a prepared ladder up to 1080p. */
export const PRESETS: readonly Rung[] = [
  { name: "very_low", width: 320, height: 180, bitrateBps: 250_000 },
  { name: "low", width: 640, height: 360, bitrateBps: 500_000 },
  { name: "medium", width: 854, height: 480, bitrateBps: 1_000_000 },
  { name: "high", width: 1280, height: 720, bitrateBps: 2_500_000 },
  { name: "very_high", width: 1920, height: 1080, bitrateBps: 4_500_000 },
];

export interface FlowInit extends PathInit {
  readonly rungs?: readonly Rung[];
  readonly wish?: QualityWish;
  readonly hintBps?: number;
  /** How long a segment takes to come, ms. */
  readonly fetchMs?: (rung: string, nowMs: number) => number;
  /** How late our own loop is, ms. */
  readonly lateMs?: (nowMs: number) => number;
  readonly canPad?: boolean;
  readonly startMs?: number;
}

export interface Sample {
  readonly ms: number;
  readonly queueMs: number;
  readonly rung: string | undefined;
  readonly estimateBps: number;
  readonly paused: boolean;
}

/** One viewer on a simulated path: the node's own player, pacer, estimator and controller, in virtual time. */
export class Flow {
  readonly samples: Sample[] = [];
  readonly decisions: QualityDecision[] = [];
  /** Arrival of whole pictures at the viewer, ms, and of sound. */
  readonly pictures: number[] = [];
  readonly sounds: number[] = [];
  bytes = 0;
  readonly adaptation: Adaptation;
  readonly player: Player;
  readonly supply = new SupplyMeter();
  readonly estimator: BandwidthEstimator;
  readonly #init: FlowInit;
  readonly #path: SimulatedPath;
  readonly #due: { readonly atMs: number; readonly run: () => void }[] = [];
  #sequence = 65_000;
  #nextTickMs: number;
  #feedbackMs: number;
  #now: number;

  constructor(init: FlowInit) {
    this.#init = init;
    const nowMs = init.startMs ?? 0;
    this.#now = this.#nextTickMs = nowMs;
    this.#feedbackMs = nowMs + FEEDBACK_MS;
    const { rungs = PRESETS, wish = {}, hintBps } = init;
    this.estimator = new BandwidthEstimator(hintBps === undefined ? {} : { startBps: hintBps });
    this.#path = new SimulatedPath(init);
    const place = { wish, otherBps: SOUND_BPS, bandwidthBps: this.estimator.estimateBps };
    const first = firstRung(rungs, place);
    const rung = rungs[first];
    this.player = new Player({
      tracks: [
        { kind: "video", bitrateBps: rung?.bitrateBps },
        { kind: "audio", bitrateBps: SOUND_BPS },
      ],
      durationSeconds: 3600,
      startSeconds: 0,
      nowMs,
      rung: rung?.name,
      pacer: new Pacer(nowMs),
      path: now => ({
        estimateBps: this.estimator.cause === "start" ? undefined : this.estimator.estimateBps,
        limitBps: this.estimator.limitBps(now),
      }),
      request: (track, ticket, asked) => {
        const name = asked.rung ?? rung?.name ?? "";
        const start =
          "keyAfter" in asked
            ? Math.ceil(asked.keyAfter - 0.002)
            : "at" in asked
              ? Math.floor(asked.at)
              : Number(asked.after.split("/")[1]) + 1;
        if (track === 0) this.supply.onAsked(ticket, this.#now);
        const come = (): void => this.#deliver(track, ticket, name, start);
        const tookMs = track === 0 ? (init.fetchMs?.(name, this.#now) ?? 10) : 10;
        this.#due.push({ atMs: this.#now + tookMs, run: come });
      },
      acquire: (track, segment) => packetiseSegment(segment, track === 1 ? "opus" : "h264"),
      release: () => undefined,
      send: (track, payload, _stream, marker) => this.#send(payload.length, track, marker),
      onRung: name => this.adaptation.shown(name),
      onRungFailed: name => this.adaptation.failed(name, this.#now),
      onChange: () => undefined,
    });
    this.adaptation = new Adaptation({
      rungs,
      first,
      wish,
      otherBps: SOUND_BPS,
      pictures: this.player.pictures,
      bufferedSeconds: now => this.player.bufferedSeconds(now),
      supply: this.supply,
      nowMs,
      wallMs: nowMs,
      onDecision: decision => this.decisions.push(decision),
    });
    this.#runDue();
    this.player.start(nowMs);
    const { estimator } = this;
    const pad = (bytes: number): boolean => this.#pad(bytes);
    this.adaptation.connect(
      { estimator, roundTripMs: 40, jitterMs: 0, canPad: init.canPad ?? true, pad },
      nowMs,
      "estimate",
    );
  }

  /** Rungs that were shown, one after the other, with the time of the first picture, ms. */
  get shown(): { readonly ms: number; readonly rung: string | undefined }[] {
    return this.samples
      .filter((sample, i) => sample.rung !== this.samples[i - 1]?.rung)
      .map(({ ms, rung }) => ({ ms, rung }));
  }

  /** Longest time between two pictures that arrived within a stretch, ms. */
  freezeMs(fromMs: number, toMs: number): number {
    const within = this.pictures.filter(ms => ms >= fromMs && ms <= toMs).toSorted((a, b) => a - b);
    let longest = 0;
    for (const [i, ms] of within.entries()) longest = Math.max(longest, ms - (within[i - 1] ?? ms));
    return longest;
  }

  /** Lets one millisecond pass. */
  step(nowMs: number): void {
    this.#now = nowMs;
    this.#runDue();
    if (nowMs >= this.#nextTickMs + (this.#init.lateMs?.(this.#nextTickMs) ?? 0)) {
      this.#nextTickMs = Math.max(this.#nextTickMs + TICK_MS, nowMs);
      this.player.tick(nowMs);
      this.adaptation.tick(nowMs);
    }
    if (nowMs < this.#feedbackMs) return;
    this.#feedbackMs += FEEDBACK_MS;
    this.estimator.onFeedbackBegin(nowMs);
    for (const { sequence, arrivedMs } of this.#path.feedback(nowMs)) {
      this.estimator.onArrival(
        sequence,
        arrivedMs === undefined ? undefined : Math.round((arrivedMs + CLOCK_OFFSET_MS) * 4),
      );
    }
    this.estimator.onFeedbackEnd();
    this.samples.push({
      ms: nowMs,
      queueMs: this.#path.queueMs(nowMs),
      rung: this.player.pictures.rung,
      estimateBps: this.estimator.estimateBps,
      paused: this.adaptation.picturesPaused,
    });
  }

  #runDue(): void {
    for (let i = 0; i < this.#due.length; ) {
      const due = this.#due[i];
      if (due === undefined || due.atMs > this.#now) i++;
      else {
        this.#due.splice(i, 1);
        due.run();
      }
    }
  }

  #deliver(track: number, ticket: number, rung: string, start: number): void {
    const segment = track === 0 ? pictures(this.#rung(rung), start) : sound(start);
    if (track === 0) {
      const tookMs = this.supply.onCame(ticket, 1, this.#now);
      if (this.player.pictures.isSwitchingBy(track, ticket) && !this.adaptation.accepts(tookMs, 1))
        return this.player.pictures.refuseRung();
    }
    this.player.deliver(track, ticket, segment, track === 0 ? rung : undefined);
  }

  #rung(name: string): Rung {
    const found = (this.#init.rungs ?? PRESETS).find(rung => rung.name === name);
    if (found === undefined) throw new Error(`there is no rung ${name}`);
    return found;
  }

  #send(payloadBytes: number, track: number, marker: boolean): void {
    const bytes = payloadBytes + OVERHEAD;
    this.bytes += bytes;
    this.adaptation.onSent(bytes);
    this.estimator.onSent(this.#sequence, bytes, this.#now, this.adaptation.cluster);
    const arrivedMs = this.#path.send(this.#sequence, bytes, this.#now);
    this.#sequence = (this.#sequence + 1) & 0xffff;
    if (arrivedMs === undefined || track < 0) return;
    if (track === 1) this.sounds.push(arrivedMs);
    else if (marker) this.pictures.push(arrivedMs);
  }

  #pad(bytes: number): boolean {
    for (let left = bytes; left > 0; left -= 1144) {
      this.#send(1100, -1, false);
    }
    return true;
  }
}

/** Lets flows run side by side. */
export function run(flows: readonly Flow[], fromMs: number, toMs: number): void {
  for (let now = fromMs; now < toMs; now++) for (const flow of flows) flow.step(now);
}

const made = new Map<string, Segment>();

function pictures(rung: Rung, start: number): Segment {
  const unit = rung.bitrateBps / 8 / (FPS - 1 + KEY_FACTOR);
  return segment(`${rung.name}/${start}`, start, FPS, i => {
    // Pictures of a film are not all alike.
    const size = i === 0 ? unit * KEY_FACTOR : unit * (1 + 0.3 * Math.sin(i * 1.7));
    return h264Frame(i === 0, Math.max(8, Math.round(size)));
  });
}

function sound(start: number): Segment {
  return segment(`sound/${start}`, start, 50, () => Buffer.alloc(SOUND_BPS / 8 / 50, 1));
}

function segment(key: string, start: number, count: number, frameOf: (i: number) => Buffer): Segment {
  const shape = key.split("/")[0] ?? "";
  const known = made.get(shape);
  const data = known ?? build(count, frameOf);
  made.set(shape, data);
  const ptsSeconds = new Float64Array(new SharedArrayBuffer(count * 8));
  for (let i = 0; i < count; i++) ptsSeconds[i] = start + i / count;
  return { ...data, key, index: start, startSeconds: start, endSeconds: start + 1, ptsSeconds };
}

function build(count: number, frameOf: (i: number) => Buffer): Segment {
  const frames = Array.from({ length: count }, (_, i) => frameOf(i));
  const data = new SharedArrayBuffer(frames.reduce((sum, frame) => sum + frame.length, 0));
  const offsets = new Uint32Array(new SharedArrayBuffer((count + 1) * 4));
  const flags = new Uint8Array(new SharedArrayBuffer(count));
  let at = 0;
  for (const [i, frame] of frames.entries()) {
    new Uint8Array(data).set(frame, at);
    offsets[i] = at;
    flags[i] = i === 0 ? FRAME_KEY : 0;
    at += frame.length;
  }
  offsets[count] = at;
  return {
    key: "",
    index: 0,
    startSeconds: 0,
    endSeconds: 1,
    startsWithKey: true,
    last: false,
    frameCount: count,
    data,
    offsets,
    ptsSeconds: new Float64Array(new SharedArrayBuffer(0)),
    flags,
  };
}
