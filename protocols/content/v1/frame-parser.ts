import { decodeFrame } from "./codec.ts";
import { type Frame, HEADER_BYTES } from "./frames.ts";
import { FrameError } from "./wire.ts";

export interface FrameParserInit {
  /** Largest payload accepted, bytes. */
  readonly maxPayloadBytes: number;
  /** Gives a buffer of that length for a payload; default a new one. */
  readonly allocate?: (bytes: number) => Uint8Array;
  /** Hears each frame, with its length on the wire. Its bytes are the listener's to keep. */
  readonly onFrame: (frame: Frame, wireBytes: number) => void;
}

/** Finds the frames in a stream of bytes, however it is cut. Holds at most one frame. */
export class FrameParser {
  readonly #init: FrameParserInit;
  readonly #header = new Uint8Array(HEADER_BYTES);
  #headerFilled = 0;
  #payload: Uint8Array | undefined;
  #filled = 0;

  constructor(init: FrameParserInit) {
    this.#init = init;
  }

  /** True between two frames: a stream may end here. */
  get idle(): boolean {
    return this.#headerFilled === 0;
  }

  /** Takes what has arrived. Throws {@link FrameError} when it is no frame of this protocol. */
  push(chunk: Uint8Array): void {
    let at = 0;
    for (;;) {
      if (this.#payload === undefined) {
        at += this.#fillHeader(chunk, at);
        if (this.#headerFilled < HEADER_BYTES) return;
        const length = this.#length();
        this.#payload = this.#init.allocate?.(length) ?? new Uint8Array(length);
        this.#filled = 0;
      }
      const taken = Math.min(chunk.byteLength - at, this.#payload.byteLength - this.#filled);
      this.#payload.set(chunk.subarray(at, at + taken), this.#filled);
      this.#filled += taken;
      at += taken;
      if (this.#filled < this.#payload.byteLength) return;
      this.#emit(this.#payload);
    }
  }

  #fillHeader(chunk: Uint8Array, at: number): number {
    const taken = Math.min(chunk.byteLength - at, HEADER_BYTES - this.#headerFilled);
    this.#header.set(chunk.subarray(at, at + taken), this.#headerFilled);
    this.#headerFilled += taken;
    return taken;
  }

  #length(): number {
    const length = new DataView(this.#header.buffer).getUint32(0);
    if (length > this.#init.maxPayloadBytes) throw new FrameError(`a frame of ${length} bytes is too large`);
    return length;
  }

  #emit(payload: Uint8Array): void {
    const type = this.#header[HEADER_BYTES - 1] ?? 0;
    this.#payload = undefined;
    this.#headerFilled = 0;
    this.#init.onFrame(decodeFrame(type, payload), HEADER_BYTES + payload.byteLength);
  }
}
