/** Draws the test clip's pictures straight into planar YUV 4:2:0: no font file, no image library. */

/** Glyphs of 5 × 7 pixels, one number per row, most significant bit left. */
const GLYPHS: Readonly<Record<string, readonly number[]>> = {
  "0": [14, 17, 19, 21, 25, 17, 14],
  "1": [4, 12, 4, 4, 4, 4, 14],
  "2": [14, 17, 1, 2, 4, 8, 31],
  "3": [31, 2, 4, 2, 1, 17, 14],
  "4": [2, 6, 10, 18, 31, 2, 2],
  "5": [31, 16, 30, 1, 1, 17, 14],
  "6": [6, 8, 16, 30, 17, 17, 14],
  "7": [31, 1, 2, 4, 8, 8, 8],
  "8": [14, 17, 17, 14, 17, 17, 14],
  "9": [14, 17, 17, 15, 1, 2, 12],
  ":": [0, 12, 12, 0, 12, 12, 0],
  ".": [0, 0, 0, 0, 0, 12, 12],
  a: [0, 0, 14, 1, 15, 17, 15],
  c: [0, 0, 14, 16, 16, 17, 14],
  d: [1, 1, 13, 19, 17, 17, 15],
  e: [0, 0, 14, 17, 31, 16, 14],
  f: [6, 9, 8, 28, 8, 8, 8],
  i: [4, 0, 12, 4, 4, 4, 14],
  m: [0, 0, 26, 21, 21, 17, 17],
  r: [0, 0, 22, 25, 16, 16, 16],
  s: [0, 0, 14, 16, 14, 1, 30],
  t: [8, 8, 28, 8, 8, 9, 6],
  " ": [0, 0, 0, 0, 0, 0, 0],
};

/** Bits of the frame number that the strip at the lower edge shows as black and white cells, most significant left. */
export const STRIP_BITS = 16;

/** Height of the strip, pixels. */
export const STRIP_HEIGHT = 48;

/** How long picture flash and beep last at each whole second, seconds. */
export const BEEP_SECONDS = 0.1;

export interface PictureSize {
  readonly width: number;
  readonly height: number;
}

interface Box {
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
}

/** A YUV 4:2:0 picture whose planes lie back to back in `data`. */
class Picture {
  readonly data: Buffer;
  readonly #width: number;
  readonly #height: number;

  constructor(size: PictureSize) {
    this.#width = size.width;
    this.#height = size.height;
    this.data = Buffer.alloc((size.width * size.height * 3) / 2, 128);
  }

  /** Fills a box of even place and size with one colour. */
  paint(box: Box, [luma, cb, cr]: readonly [number, number, number]): void {
    for (let y = box.y; y < box.y + box.height; y++) {
      this.data.fill(luma, y * this.#width + box.x, y * this.#width + box.x + box.width);
    }
    const chromaWidth = this.#width / 2;
    const cbStart = this.#width * this.#height;
    const crStart = cbStart + chromaWidth * (this.#height / 2);
    for (let y = box.y / 2; y < (box.y + box.height) / 2; y++) {
      const from = y * chromaWidth + box.x / 2;
      this.data.fill(cb, cbStart + from, cbStart + from + box.width / 2);
      this.data.fill(cr, crStart + from, crStart + from + box.width / 2);
    }
  }

  /** Roughens the luma of whole lines [fromY, toY) so that the clip needs a camera's bits, not a drawing's. */
  grain(grain: Int8Array, offset: number, [fromY, toY]: readonly [number, number]): void {
    for (let i = fromY * this.#width; i < toY * this.#width; i++) {
      this.data[i] = (this.data[i] ?? 0) + (grain[(i + offset) & (grain.length - 1)] ?? 0);
    }
  }

  text(text: string, at: { readonly x: number; readonly y: number; readonly scale: number }): void {
    const { x, y, scale } = at;
    for (const [index, character] of text.split("").entries()) {
      for (const [row, bits] of (GLYPHS[character] ?? []).entries()) {
        for (let column = 0; column < 5; column++) {
          if ((bits & (16 >> column)) === 0) continue;
          const left = x + (index * 6 + column) * scale;
          this.paint({ x: left, y: y + row * scale, width: scale, height: scale }, [235, 128, 128]);
        }
      }
    }
  }
}

/** Colours of the bars behind: dark enough that the text stands out, different enough to see a wrong matrix. */
const BARS: readonly (readonly [number, number, number])[] = [
  [64, 110, 140],
  [72, 150, 110],
  [60, 120, 105],
  [68, 160, 140],
  [56, 100, 128],
  [70, 128, 165],
  [62, 140, 120],
  [58, 118, 150],
];

/** Grain that is the same in every run: a linear congruential generator. Its length is a power of two. */
const GRAIN = (() => {
  const grain = new Int8Array(1 << 18);
  let state = 1;
  for (let i = 0; i < grain.length; i++) {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    grain[i] = (state >>> 28) - 8;
  }
  return grain;
})();

/** The picture of one frame: bars, frame number, time, a moving block, a flash at each second, and the strip. */
export function drawPicture(frame: number, frameRate: number, size: PictureSize): Buffer {
  const picture = new Picture(size);
  const barWidth = size.width / BARS.length;
  for (const [index, colour] of BARS.entries()) {
    picture.paint({ x: index * barWidth, y: 0, width: barWidth, height: size.height }, colour);
  }
  picture.grain(GRAIN, frame * 9973, [0, size.height]);
  const milliseconds = Math.round((frame * 1000) / frameRate);
  const seconds = Math.floor(milliseconds / 1000);
  const clock = `${String(Math.floor(seconds / 60)).padStart(2, "0")}:${String(seconds % 60).padStart(2, "0")}`;
  picture.paint({ x: 80, y: 100, width: 1120, height: 360 }, [24, 128, 128]);
  picture.text("cidcast", { x: 112, y: 124, scale: 6 });
  picture.text(`frame ${String(frame).padStart(4, "0")}`, { x: 112, y: 196, scale: 14 });
  picture.text(`time ${clock}.${String(milliseconds % 1000).padStart(3, "0")}`, {
    x: 112,
    y: 326,
    scale: 12,
  });
  const travel = size.width - 80;
  picture.paint(
    { x: Math.round(((frame * 8) % travel) / 2) * 2, y: 520, width: 80, height: 80 },
    [180, 60, 190],
  );
  if (frame / frameRate - seconds < BEEP_SECONDS - 1e-6) {
    picture.paint({ x: 1060, y: 120, width: 112, height: 56 }, [235, 128, 128]);
  }
  const cellWidth = size.width / STRIP_BITS;
  for (let bit = 0; bit < STRIP_BITS; bit++) {
    const on = (frame >> (STRIP_BITS - 1 - bit)) & 1;
    const box = { x: bit * cellWidth, y: size.height - STRIP_HEIGHT, width: cellWidth, height: STRIP_HEIGHT };
    picture.paint(box, [on === 1 ? 235 : 16, 128, 128]);
  }
  return picture.data;
}

/** Interleaved 32-bit float stereo: 1 kHz for a tenth of a second at each whole second, with a short ramp, else silence. */
export function drawSound(firstSample: number, samples: number, sampleRate: number): Buffer {
  const out = new Float32Array(samples * 2);
  for (let i = 0; i < samples; i++) {
    const inSecond = ((firstSample + i) % sampleRate) / sampleRate;
    if (inSecond >= BEEP_SECONDS) continue;
    const ramp = Math.min(1, inSecond / 0.001, (BEEP_SECONDS - inSecond) / 0.005);
    const value = 0.4 * ramp * Math.sin(2 * Math.PI * 1000 * inSecond);
    out[2 * i] = value;
    out[2 * i + 1] = value;
  }
  return Buffer.from(out.buffer);
}
