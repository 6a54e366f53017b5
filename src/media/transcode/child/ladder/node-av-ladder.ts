import type { Frame } from "node-av/lib";
import type { LadderJobSpec, Packet } from "../../protocol.ts";
import type { Transcoder } from "../backend.ts";
import { Decoder, frameTimeUs } from "../node-av-decoder.ts";
import { Rung } from "./rung.ts";

/** Pictures decoded once and encoded in several sizes, each made from the next larger one that there is of it. */
export class NodeAvLadder implements Transcoder {
  readonly #spec: LadderJobSpec;
  readonly #emit: (frames: readonly Packet[]) => void;
  readonly #decoder: Decoder;
  /** From the largest down. */
  readonly #rungs: readonly Rung[];
  #out: Packet[] = [];
  #lastUs = Number.NEGATIVE_INFINITY;
  #done = false;

  constructor(spec: LadderJobSpec, emit: (frames: readonly Packet[]) => void) {
    this.#spec = spec;
    this.#emit = emit;
    this.#decoder = new Decoder(spec.decoder, "video");
    const bySize = spec.rungs.map((rung, index) => ({ index, pixels: rung.width * rung.height }));
    bySize.sort((a, b) => b.pixels - a.pixels);
    this.#rungs = bySize.map(({ index }) => new Rung(spec, index, packet => this.#out.push(packet)));
  }

  get done(): boolean {
    return this.#done;
  }

  async push(packets: readonly Packet[]): Promise<void> {
    for (const packet of packets) {
      if (this.#done) break;
      this.#decoder.decode(packet, frame => this.#picture(frame));
      for (const rung of this.#rungs) await rung.room();
    }
    if (this.#done) await this.#end();
    this.#flush();
  }

  async finish(): Promise<void> {
    this.#decoder.decode(undefined, frame => this.#picture(frame));
    await this.#end();
    this.#flush();
  }

  async close(): Promise<void> {
    this.#decoder.close();
    await Promise.all(this.#rungs.map(rung => rung.close()));
  }

  async #end(): Promise<void> {
    await Promise.all(this.#rungs.map(rung => rung.finish()));
  }

  #flush(): void {
    const out = this.#out;
    this.#out = [];
    if (out.length > 0) this.#emit(out);
  }

  #picture(frame: Frame): void {
    const ptsUs = frameTimeUs(frame);
    if (ptsUs === undefined || this.#done || ptsUs < this.#spec.fromUs || ptsUs <= this.#lastUs) return;
    if (ptsUs >= this.#spec.untilUs) {
      this.#done = true;
      return;
    }
    this.#lastUs = ptsUs;
    let larger: Frame | undefined;
    for (const rung of this.#rungs) {
      if (rung.wants(ptsUs)) larger = rung.take(larger ?? frame, ptsUs, larger ? "rung" : "decoder");
    }
  }
}
