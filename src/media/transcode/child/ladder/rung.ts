import { AV_PICTURE_TYPE_I, AV_PICTURE_TYPE_NONE } from "node-av/constants";
import { type CodecContext, FFmpegError, type Frame, Packet as AvPacket } from "node-av/lib";
import type { LadderJobSpec, LadderRung, Packet } from "../../protocol.ts";
import { PictureFitter } from "../node-av-picture.ts";
import { openEncoder } from "./ladder-encoder.ts";

/** Pictures that may wait for an encoder: enough that it never waits, few enough for memory. */
const MAX_WAITING = 6;

/** A picture on its way into the encoder. */
interface Waiting {
  readonly picture: Frame;
  readonly ptsUs: number;
  readonly segment: number;
  readonly key: boolean;
}

/**
 * One encoding of a ladder. Pictures are fitted at once and encoded in a thread, in order, while others are decoded and
 * fitted. A segment is a function of its pictures alone: its encoder is opened at its first picture and knows nothing of
 * the ones before, so it comes out the same whoever makes it, and when.
 */
export class Rung {
  readonly #spec: LadderJobSpec;
  readonly #rung: LadderRung;
  readonly #index: number;
  readonly #emit: (packet: Packet) => void;
  /** Fits decoded pictures. */
  readonly #fitter: PictureFitter;
  /** Fits those of a larger rung, which stand upright. */
  readonly #shrinker: PictureFitter;
  readonly #packet = new AvPacket();
  /** Times of pictures that the encoder holds, in order: without B-frames they come out as they went in. */
  readonly #times: number[] = [];
  readonly #waiting: Waiting[] = [];
  #encoder: CodecContext | undefined;
  #segment = Number.NEGATIVE_INFINITY;
  #gop = Number.NEGATIVE_INFINITY;
  #slot = Number.NEGATIVE_INFINITY;
  #count = 0;
  #working: Promise<void> | undefined;
  #failure: { readonly error: unknown } | undefined;
  #closed = false;
  #moved: (() => void) | undefined;

  constructor(spec: LadderJobSpec, index: number, emit: (packet: Packet) => void) {
    const rung = spec.rungs[index];
    if (rung === undefined) throw new RangeError(`The ladder has no rung ${index}`);
    this.#spec = spec;
    this.#rung = rung;
    this.#index = index;
    this.#emit = emit;
    this.#fitter = new PictureFitter({ ...rung, rotation: spec.rotation, mirrored: spec.mirrored });
    this.#shrinker = new PictureFitter({ ...rung, rotation: 0, mirrored: false });
    this.#packet.alloc();
  }

  /** True for a picture that this rung has. */
  wants(ptsUs: number): boolean {
    const gop = Math.floor(ptsUs / this.#spec.gopUs);
    return gop !== this.#gop || this.#slotOf(ptsUs, gop) !== this.#slot;
  }

  /**
   * Takes a picture that it {@link wants}: as it was decoded, or as a larger rung has it. Gives back its own, valid until
   * the next call.
   */
  take(frame: Frame, ptsUs: number, from: "decoder" | "rung"): Frame {
    const gop = Math.floor(ptsUs / this.#spec.gopUs);
    const picture = (from === "decoder" ? this.#fitter : this.#shrinker).fit(frame);
    const own = picture.clone();
    if (own === null) throw new Error("There is no memory for a picture");
    this.#waiting.push({
      picture: own,
      ptsUs,
      segment: Math.floor(ptsUs / this.#spec.segmentUs),
      key: gop !== this.#gop,
    });
    this.#gop = gop;
    this.#slot = this.#slotOf(ptsUs, gop);
    this.#working ??= this.#work();
    return picture;
  }

  /** Resolves once there is room for more pictures. Throws what went wrong with those before. */
  async room(): Promise<void> {
    while (this.#waiting.length >= MAX_WAITING && this.#working !== undefined) await this.#progress();
    if (this.#failure !== undefined) throw this.#failure.error;
  }

  /** Ends the segment that is being encoded. */
  async finish(): Promise<void> {
    await this.#working;
    if (this.#failure !== undefined) throw this.#failure.error;
    await this.#flush();
  }

  /** Frees everything, once what is under way in a thread is over. */
  async close(): Promise<void> {
    this.#closed = true;
    await this.#working;
    this.#drop();
    this.#encoder?.freeContext();
    this.#encoder = undefined;
    this.#packet.free();
    this.#fitter.close();
    this.#shrinker.close();
  }

  #progress(): Promise<void> {
    return new Promise(resolve => {
      this.#moved = resolve;
    });
  }

  async #work(): Promise<void> {
    try {
      for (let next = this.#waiting[0]; next !== undefined && !this.#closed; next = this.#waiting[0]) {
        await this.#encode(next);
        this.#waiting.shift();
        next.picture.free();
        this.#moved?.();
      }
    } catch (error) {
      this.#failure ??= { error };
      this.#drop();
    }
    // In the same breath as the look that found nothing more: a picture that comes now is worked off anew.
    this.#working = undefined;
    this.#moved?.();
  }

  #drop(): void {
    for (const { picture } of this.#waiting.splice(0)) picture.free();
  }

  async #encode({ picture, ptsUs, segment, key }: Waiting): Promise<void> {
    if (segment !== this.#segment) {
      await this.#flush();
      this.#encoder = openEncoder(this.#rung);
      this.#count = 0;
      this.#segment = segment;
    }
    const encoder = this.#encoder;
    if (encoder === undefined) return;
    picture.pts = BigInt(this.#count++);
    picture.pictType = key ? AV_PICTURE_TYPE_I : AV_PICTURE_TYPE_NONE;
    this.#times.push(ptsUs);
    FFmpegError.throwIfError(await encoder.sendFrame(picture), "encode a picture");
    this.#collect(encoder);
  }

  async #flush(): Promise<void> {
    const encoder = this.#encoder;
    if (encoder === undefined) return;
    await encoder.sendFrame(null);
    // What it has looked ahead at is encoded now: in a thread as well.
    while ((await encoder.receivePacket(this.#packet)) >= 0) this.#give();
    encoder.freeContext();
    this.#encoder = undefined;
    this.#times.length = 0;
  }

  /** Which of a GOP's places a picture takes, where there are fewer places than pictures: a matter of its time alone. */
  #slotOf(ptsUs: number, gop: number): number {
    const { maxFramesPerSecond } = this.#rung;
    if (maxFramesPerSecond === 0) return ptsUs;
    return Math.floor(((ptsUs - gop * this.#spec.gopUs) * maxFramesPerSecond) / 1e6 + 0.01);
  }

  #collect(encoder: CodecContext): void {
    while (encoder.receivePacketSync(this.#packet) >= 0) this.#give();
  }

  #give(): void {
    const packet = this.#packet;
    const ptsUs = this.#times.shift();
    const { data } = packet;
    if (ptsUs !== undefined && data !== null) {
      this.#emit({ data: Uint8Array.from(data), ptsUs, key: packet.isKeyframe, rung: this.#index });
    }
    packet.unref();
  }
}
