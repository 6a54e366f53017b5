/** Sample rate of Opus over RTP, Hz (RFC 7587 4.1). */
export const OPUS_RATE = 48_000;

/** Samples per channel of a 20 ms frame. */
export const OPUS_FRAME_SAMPLES = 960;

/**
 * Samples by which libopus delays sound at 48 kHz (its lookahead). Frames are cut that much later, so that what a
 * receiver decodes from frame n is exactly the sound of its 20 ms.
 */
const ENCODER_DELAY_SAMPLES = 312;

/**
 * Frames encoded before the first that counts: Opus codes changes, so a fresh encoder must know what a receiver that
 * comes from the second before has just heard. At the very start there is nothing to know.
 */
const PREROLL_FRAMES = 4;

/** Samples that the source's times may be off before sound is moved: rounding in millisecond containers stays below. */
export const JITTER_SAMPLES = 1920;

/** A hole longer than this is left out instead of filled with silence, samples. */
const LONGEST_SILENCE_SAMPLES = 24_000;

/** Puts stereo samples, interleaved, on the grid of 20 ms frames that starts at 0, whatever the source's frames are. */
export class OpusGrid {
  /** The first frame that counts; those before it only settle the encoder. */
  readonly firstIndex: number;
  readonly #onFrame: (samples: Float32Array, index: number) => void;
  readonly #frame = new Float32Array(2 * OPUS_FRAME_SAMPLES);
  #index: number;
  #filled = 0;
  /** Position on the grid of the next sample that is written; undefined before the first. */
  #position: number | undefined;

  constructor(fromUs: number, onFrame: (samples: Float32Array, index: number) => void) {
    this.firstIndex = Math.max(0, Math.ceil((fromUs * OPUS_RATE) / 1e6 / OPUS_FRAME_SAMPLES));
    this.#index = this.firstIndex === 0 ? 0 : this.firstIndex - PREROLL_FRAMES;
    this.#onFrame = onFrame;
  }

  /** Says at which sample of the media the next written sample lies; small differences are the container's rounding. */
  expect(position: number): void {
    if (this.#position === undefined || Math.abs(position - this.#position) > JITTER_SAMPLES) {
      this.#position = position;
    }
  }

  write(samples: Float32Array): void {
    let position = this.#position ?? 0;
    this.#position = position + samples.length / 2;
    let from = 0;
    // What lies before the media's start, or before what is wanted, is not heard.
    const skip = Math.min(samples.length / 2, Math.max(0, Math.max(0, this.#next) - position));
    from += 2 * skip;
    position += skip;
    if (from >= samples.length) return;
    this.#silenceUntil(position);
    this.#copy(samples.subarray(from));
  }

  /** Fills the last frame and gives it out. */
  finish(): void {
    if (this.#position === undefined) return;
    if (this.#filled > 0) this.#copy(new Float32Array(2 * (OPUS_FRAME_SAMPLES - this.#filled)));
  }

  /** Position of the next sample that the frame takes. */
  get #next(): number {
    return this.#index * OPUS_FRAME_SAMPLES + ENCODER_DELAY_SAMPLES + this.#filled;
  }

  #silenceUntil(position: number): void {
    const missing = position - this.#next;
    if (missing <= 0) return;
    if (missing > LONGEST_SILENCE_SAMPLES && this.#index >= this.firstIndex) {
      this.#copy(new Float32Array(2 * (OPUS_FRAME_SAMPLES - this.#filled)));
      this.#index = Math.floor((position - ENCODER_DELAY_SAMPLES) / OPUS_FRAME_SAMPLES);
      this.#copy(new Float32Array(2 * (position - this.#next)));
    } else {
      this.#copy(new Float32Array(2 * missing));
    }
  }

  #copy(samples: Float32Array): void {
    for (let at = 0; at < samples.length; ) {
      const count = Math.min(samples.length - at, this.#frame.length - 2 * this.#filled);
      this.#frame.set(samples.subarray(at, at + count), 2 * this.#filled);
      this.#filled += count / 2;
      at += count;
      if (this.#filled < OPUS_FRAME_SAMPLES) continue;
      this.#onFrame(this.#frame, this.#index);
      this.#index += 1;
      this.#filled = 0;
    }
  }
}
