import { FRAME_KEY, type Segment } from "../../../media/index.ts";
import { BandwidthEstimator } from "../../congestion/index.ts";
import { type PathInit, SimulatedPath } from "../../congestion/testing-link.ts";
import { Pacer } from "../../player/pacer.ts";
import { Player } from "../../player/player.ts";
import { type EgressStream, History, historyPackets } from "../../rtp/egress/index.ts";
import { packetiseSegment } from "../../rtp/packetise/index.ts";
import { h264Frame } from "../../testing/fake-media.ts";
import { Resender, type ResendNow } from "../../thread/resender.ts";
import { Adaptation } from "../adaptation.ts";
import { firstRung } from "../rung-decider.ts";
import { SupplyMeter } from "../supply-meter.ts";
import type { QualityDecision, QualityWish, Rung } from "../types.ts";
import { type PicturePacket, Receiver } from "./receiver.ts";

const TICK_MS = 5;
/** How often a browser tells what arrived, ms; others take their time. */
const FEEDBACK_MS = 50;
const FPS = 30;
const SOUND_BPS = 64_000;
/** A keyframe is so many times an ordinary picture. */
const KEY_FACTOR = 8;
/** Header, extensions and tag of a packet, bytes. */
const OVERHEAD = 44;
const CLOCK_OFFSET_MS = 77_777;
const SSRC = 1;

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
  /** How often the viewer tells what arrived, ms; default 50. */
  readonly feedbackMs?: number;
  /** How late our own loop is, ms. */
  readonly lateMs?: (nowMs: number) => number;
  readonly canPad?: boolean;
  readonly startMs?: number;
  /** True when a request of the viewer is to be lost. */
  readonly losesRequests?: () => boolean;
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
  /** Arrival of sound at the viewer, ms. */
  readonly sounds: number[] = [];
  readonly receiver: Receiver;
  bytes = 0;
  readonly adaptation: Adaptation;
  readonly player: Player;
  readonly supply = new SupplyMeter();
  readonly estimator: BandwidthEstimator;
  readonly #init: FlowInit;
  readonly #path: SimulatedPath;
  readonly #due: { readonly atMs: number; readonly run: () => void }[] = [];
  #sequence = 65_000;
  #packetsSent = 0;
  #freshPicture = true;
  readonly #pacer: Pacer;
  readonly #resender: Resender;
  readonly #history: History;
  readonly #main: EgressStream;
  readonly #packets = new Map<number, PicturePacket>();
  #nextTickMs: number;
  #feedbackMs: number;
  #now: number;

  constructor(init: FlowInit) {
    this.#init = init;
    const nowMs = init.startMs ?? 0;
    this.#now = this.#nextTickMs = nowMs;
    this.#feedbackMs = nowMs + (init.feedbackMs ?? FEEDBACK_MS);
    const { rungs = PRESETS, wish = {}, hintBps } = init;
    this.estimator = new BandwidthEstimator(hintBps === undefined ? {} : { startBps: hintBps });
    this.#path = new SimulatedPath(init);
    const place = { wish, otherBps: SOUND_BPS, bandwidthBps: this.estimator.estimateBps };
    const first = firstRung(rungs, place);
    const rung = rungs[first];
    this.#pacer = new Pacer(nowMs);
    this.#history = new History(historyPackets(rungs.at(-1)?.bitrateBps));
    this.#resender = new Resender({
      pacer: this.#pacer,
      lastSequence: () => (this.#sequence - 1) & 0xffff,
      copies: now => this.estimator.copiesOfLost(now),
      isOfUse: () => !this.adaptation.picturesPaused,
    });
    this.#main = streamOf((payload, _timestamp, marker) => this.#sendPicture(payload, marker));
    const rtx = streamOf((payload, _timestamp, _marker, prefix) =>
      this.#transmit(payload.length, 0, this.#packets.get(prefix ?? -1)),
    );
    this.#resender.add({ ssrc: SSRC, main: this.#main, rtx, history: this.#history });
    this.receiver = new Receiver({
      ask: (sequences, askedMs) => this.#later(askedMs, () => this.#resend(sequences)),
      askForKeyframe: askedMs => this.#later(askedMs, () => this.player.requestKeyframe(this.#now)),
    });
    this.player = new Player({
      tracks: [
        { kind: "video", bitrateBps: rung?.bitrateBps },
        { kind: "audio", bitrateBps: SOUND_BPS },
      ],
      durationSeconds: 3600,
      startSeconds: 0,
      nowMs,
      rung: rung?.name,
      pacer: this.#pacer,
      path: now => ({
        estimateBps: this.estimator.cause === "start" ? undefined : this.estimator.estimateBps,
        limitBps: this.estimator.limitBps(now),
        ceilingBps: this.estimator.ceilingBps(now),
      }),
      request: (track, ticket, asked) => {
        const name = asked.rung ?? rung?.name ?? "";
        const start =
          "keyAfter" in asked
            ? Math.ceil(asked.keyAfter - 0.002)
            : "holding" in asked
              ? Math.floor(asked.holding)
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
      send: (track, payload, _stream, marker) => {
        if (track === 1) return this.#transmit(payload.length, track);
        this.#history.add(this.#main.sequence, payload, 0, marker);
        this.#main.send(payload, 0, marker);
        this.#resender.onSent(SSRC, this.#main.sequence - 1);
      },
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
    const pad = (bytes: number): boolean => this.#resender.pad(bytes);
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

  /** When pictures were shown, ms. */
  get pictures(): readonly number[] {
    return this.receiver.shown;
  }

  /** Packets that were sent again. */
  get resent(): number {
    return this.#resender.count;
  }

  /** Longest time between two pictures that were shown within a stretch, ms. */
  freezeMs(fromMs: number, toMs: number): number {
    const within = this.pictures.filter(ms => ms >= fromMs && ms <= toMs);
    let longest = 0;
    for (const [i, ms] of within.entries()) longest = Math.max(longest, ms - (within[i - 1] ?? ms));
    return longest;
  }

  /** Lets one millisecond pass. */
  step(nowMs: number): void {
    this.#now = nowMs;
    this.#runDue();
    this.receiver.tick(nowMs);
    if (nowMs >= this.#nextTickMs + (this.#init.lateMs?.(this.#nextTickMs) ?? 0)) {
      this.#nextTickMs = Math.max(this.#nextTickMs + TICK_MS, nowMs);
      this.#resender.drain(nowMs);
      this.player.tick(nowMs);
      this.adaptation.tick(nowMs);
    }
    if (nowMs < this.#feedbackMs + (this.#init.lateMs?.(this.#feedbackMs) ?? 0)) return;
    this.#feedbackMs = Math.max(this.#feedbackMs + (this.#init.feedbackMs ?? FEEDBACK_MS), nowMs);
    this.estimator.onFeedbackBegin(nowMs);
    for (const { sequence, arrivedMs } of this.#path.feedback(nowMs)) {
      this.estimator.onArrival(
        sequence,
        arrivedMs === undefined ? undefined : Math.round((arrivedMs + CLOCK_OFFSET_MS) * 4),
      );
      if (arrivedMs === undefined) this.#resender.onLost(sequence, this.#resendNow);
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

  #sendPicture(payload: Buffer, marker: boolean): void {
    const packet = {
      sequence: this.#main.sequence,
      first: this.#freshPicture,
      marker,
      key: isKeyPayload(payload),
    };
    this.#freshPicture = marker;
    this.#packets.set(packet.sequence, packet);
    this.#transmit(payload.length, 0, packet);
  }

  /** Lets bytes go their way. */
  #transmit(payloadBytes: number, track: number, packet?: PicturePacket): void {
    const bytes = payloadBytes + OVERHEAD;
    this.bytes += bytes;
    this.#packetsSent++;
    this.adaptation.onSent(bytes);
    this.estimator.onSent(this.#sequence, bytes, this.#now, this.adaptation.cluster);
    const atMs = this.#path.send(this.#sequence, bytes, this.#now);
    this.#sequence = (this.#sequence + 1) & 0xffff;
    if (atMs === undefined) return;
    if (track === 1) this.sounds.push(atMs);
    else if (packet !== undefined)
      this.#due.push({ atMs, run: () => this.receiver.onPacket(packet, this.#now) });
  }

  /** What the viewer sends takes its time, too, and may be lost. */
  #later(sentMs: number, run: () => void): void {
    if (this.#init.losesRequests?.() === true) return;
    const seenMs = sentMs + (this.#init.delayMs ?? 20);
    const lateMs = this.#init.lateMs?.(seenMs) ?? 0;
    this.#due.push({ atMs: seenMs + lateMs, run });
  }

  #resend(sequences: readonly number[]): void {
    for (const sequence of sequences) this.#resender.ask(SSRC, sequence, this.#resendNow);
  }

  get #resendNow(): ResendNow {
    const roundTripMs = 2 * (this.#init.delayMs ?? 20);
    return { nowMs: this.#now, packetsSent: this.#packetsSent, roundTripMs };
  }
}

/** A stream that hands its packets on, and counts them. */
function streamOf(send: EgressStream["send"]): EgressStream {
  const stream = {
    ssrc: SSRC,
    payloadType: 96,
    sequence: 0,
    packets: 0,
    octets: 0,
    send: (...packet: Parameters<EgressStream["send"]>) => {
      send(...packet);
      stream.sequence++;
      stream.packets++;
    },
  };
  return stream;
}

/** True for a packet of a keyframe with its parameters. */
function isKeyPayload(payload: Buffer): boolean {
  const kind = (payload[0] ?? 0) & 31;
  const first = kind === 24 ? payload[3] : kind === 28 ? payload[1] : kind;
  return [5, 7, 8].includes((first ?? 0) & 31);
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
