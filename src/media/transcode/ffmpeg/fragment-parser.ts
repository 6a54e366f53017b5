/** A sample of a fragmented MP4 stream. */
export interface FragmentSample {
  readonly data: Uint8Array;
  readonly ptsSeconds: number;
}

/** Largest box taken, bytes: one fragment holds one frame. */
const MAX_BOX_BYTES = 64 * 1024 * 1024;

interface Box {
  readonly type: string;
  readonly body: Buffer;
}

/** Boxes that lie one after the other in `data`, whole ones only (ISO/IEC 14496-12 4.2). */
function boxesIn(data: Buffer): Box[] {
  const boxes: Box[] = [];
  for (let at = 0; at + 8 <= data.length; ) {
    const size = data.readUInt32BE(at);
    if (size < 8 || at + size > data.length) break;
    boxes.push({ type: data.toString("latin1", at + 4, at + 8), body: data.subarray(at + 8, at + size) });
    at += size;
  }
  return boxes;
}

function find(data: Buffer, ...path: string[]): Buffer | undefined {
  let body: Buffer | undefined = data;
  for (const type of path) body = body && boxesIn(body).find(box => box.type === type)?.body;
  return body;
}

/** Takes apart a fragmented MP4 of one track, as it comes out of a pipe, with one or more samples to a fragment. */
export class FragmentParser {
  #rest: Buffer = Buffer.alloc(0);
  #timescale = 1;
  #ended = false;
  #samples: { readonly size: number; readonly ptsSeconds: number }[] = [];

  /** Samples that are whole now that `chunk` has come. Throws on what is no MP4. */
  push(chunk: Buffer): FragmentSample[] {
    if (this.#ended) return [];
    this.#rest = this.#rest.length === 0 ? chunk : Buffer.concat([this.#rest, chunk]);
    const out: FragmentSample[] = [];
    while (this.#rest.length >= 8) {
      const size = this.#rest.readUInt32BE(0);
      const type = this.#rest.toString("latin1", 4, 8);
      // The index at the end: into a pipe it is written without its size where it is long.
      if (type === "mfra") {
        this.#ended = true;
        this.#rest = Buffer.alloc(0);
        break;
      }
      if (size < 8 || size > MAX_BOX_BYTES) throw new Error("ffmpeg wrote something else than MP4 boxes");
      if (this.#rest.length < size) break;
      this.#take(type, this.#rest.subarray(8, size), out);
      this.#rest = this.#rest.subarray(size);
    }
    return out;
  }

  #take(type: string, body: Buffer, out: FragmentSample[]): void {
    if (type === "moov") {
      const mdhd = find(body, "trak", "mdia", "mdhd");
      this.#timescale = mdhd?.readUInt32BE(mdhd[0] === 1 ? 20 : 12) ?? 1;
    } else if (type === "moof") {
      this.#samples = this.#readRun(body);
    } else if (type === "mdat") {
      let at = 0;
      for (const { size, ptsSeconds } of this.#samples) {
        out.push({ data: Uint8Array.from(body.subarray(at, at + size)), ptsSeconds });
        at += size;
      }
      this.#samples = [];
    }
  }

  /** Sizes and times of a fragment's samples: `tfhd`, `tfdt` and `trun` (ISO/IEC 14496-12 8.8). */
  #readRun(moof: Buffer): { readonly size: number; readonly ptsSeconds: number }[] {
    const tfhd = find(moof, "traf", "tfhd");
    const tfdt = find(moof, "traf", "tfdt");
    const trun = find(moof, "traf", "trun");
    if (tfhd === undefined || tfdt === undefined || trun === undefined) return [];
    const defaults = readDefaults(tfhd);
    const flags = trun.readUIntBE(1, 3);
    const count = trun.readUInt32BE(4);
    let at = 8 + ((flags & 1) === 0 ? 0 : 4) + ((flags & 4) === 0 ? 0 : 4);
    let time = tfdt[0] === 1 ? Number(tfdt.readBigUInt64BE(4)) : tfdt.readUInt32BE(4);
    const next = (): number => {
      at += 4;
      return trun.readInt32BE(at - 4);
    };
    const samples: { readonly size: number; readonly ptsSeconds: number }[] = [];
    for (let i = 0; i < count; i++) {
      const duration = (flags & 0x100) === 0 ? defaults.duration : next();
      const size = (flags & 0x200) === 0 ? defaults.size : next();
      if ((flags & 0x400) !== 0) next();
      const offset = (flags & 0x800) === 0 ? 0 : next();
      samples.push({ size, ptsSeconds: (time + offset) / this.#timescale });
      time += duration;
    }
    return samples;
  }
}

function readDefaults(tfhd: Buffer): { readonly duration: number; readonly size: number } {
  const flags = tfhd.readUIntBE(1, 3);
  let at = 8;
  const next = (present: boolean, bytes: number): number => {
    if (!present) return 0;
    at += bytes;
    return tfhd.readUInt32BE(at - 4);
  };
  next((flags & 1) !== 0, 8);
  next((flags & 2) !== 0, 4);
  const duration = next((flags & 8) !== 0, 4);
  return { duration, size: next((flags & 0x10) !== 0, 4) };
}
