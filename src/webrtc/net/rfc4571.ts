/** Largest frame that is read, bytes: checks, DTLS and RTP are datagrams of the size of the path. */
export const MAX_FRAME_BYTES = 2048;

const LENGTH_BYTES = 2;

/** Cuts a stream into the frames that stand in it, each after its length. @see https://www.rfc-editor.org/rfc/rfc4571#section-2 */
export class FrameReader {
  #rest: Buffer = Buffer.alloc(0);

  /** The frames that `chunk` completes, empty ones left out; undefined: one is too large, and the stream is lost. */
  push(chunk: Buffer): Buffer[] | undefined {
    const bytes = this.#rest.length === 0 ? chunk : Buffer.concat([this.#rest, chunk]);
    const frames: Buffer[] = [];
    let at = 0;
    while (at + LENGTH_BYTES <= bytes.length) {
      const length = bytes.readUInt16BE(at);
      if (length > MAX_FRAME_BYTES) return undefined;
      const end = at + LENGTH_BYTES + length;
      if (end > bytes.length) break;
      if (length > 0) frames.push(bytes.subarray(at + LENGTH_BYTES, end));
      at = end;
    }
    // A copy, so that a few bytes do not keep the whole chunk.
    this.#rest = Buffer.from(bytes.subarray(at));
    return frames;
  }
}
