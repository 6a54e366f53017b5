import {
  AVERROR_EIO,
  AVERROR_EOF,
  AVFMT_FLAG_CUSTOM_IO,
  AVFMT_FLAG_GENPTS,
  AVSEEK_CUR,
  AVSEEK_END,
  AVSEEK_SET,
  AVSEEK_SIZE,
} from "node-av/constants";
import { Dictionary, FFmpegError, FormatContext, InputFormat, IOContext } from "node-av/lib";
import type { ByteCache } from "./byte-cache.ts";

/** Bytes that FFmpeg reads at a time. */
const IO_BUFFER_BYTES = 32 * 1024;

/** How much is looked at to find out what a file holds: bytes, and microseconds of media. */
const PROBE_BYTES = 4n * 1024n * 1024n;
const PROBE_US = 2_000_000n;

/** A file open in FFmpeg's demuxer. It reads through callbacks, so it names no path and opens no other file. */
export class FormatReader {
  readonly context = new FormatContext();
  readonly #io = new IOContext();
  readonly #cache: ByteCache;
  #at = 0;
  #closed = false;
  #work: Promise<unknown> = Promise.resolve();

  private constructor(cache: ByteCache) {
    this.#cache = cache;
    this.#io.allocContextWithCallbacks(
      IO_BUFFER_BYTES,
      0,
      bytes => this.#read(bytes),
      null,
      (offset, whence) => this.#seek(offset, whence),
    );
    this.context.allocContext();
    this.context.pb = this.#io;
    this.context.setFlags(AVFMT_FLAG_CUSTOM_IO, AVFMT_FLAG_GENPTS);
    this.context.probesize = PROBE_BYTES;
    this.context.maxAnalyzeDuration = PROBE_US;
  }

  static async open(format: string, cache: ByteCache): Promise<FormatReader> {
    const input = InputFormat.findInputFormat(format);
    if (input === null) throw new Error(`FFmpeg was built without ${format}`);
    const reader = new FormatReader(cache);
    // Nothing but these bytes is read, whatever the file says.
    using options = Dictionary.fromObject({ format_whitelist: format, protocol_whitelist: "none" });
    try {
      const opened = await reader.context.openInput("", input, options);
      FFmpegError.throwIfError(opened, "open the file");
      FFmpegError.throwIfError(await reader.context.findStreamInfo(), "look into the file");
    } catch (error) {
      await reader.close();
      throw error;
    }
    return reader;
  }

  /** Runs one call at a time: the demuxer is not to be entered twice. */
  run<T>(work: () => Promise<T>): Promise<T> {
    if (this.#closed) return Promise.reject(new Error("The file was closed"));
    const done = this.#work.then(work, work);
    this.#work = done;
    return done;
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    await this.#work.catch(() => undefined);
    await this.context.closeInput();
    this.#io.freeContext();
  }

  async #read(bytes: number): Promise<Buffer | number> {
    try {
      const data = await this.#cache.read(this.#at, bytes);
      if (data.length === 0) return AVERROR_EOF;
      this.#at += data.length;
      return data;
    } catch {
      return AVERROR_EIO;
    }
  }

  async #seek(offset: bigint, whence: number): Promise<bigint> {
    const { size } = this.#cache;
    const by = Number(offset);
    if (whence === AVSEEK_SIZE) return BigInt(size);
    if (whence === AVSEEK_SET) this.#at = by;
    else if (whence === AVSEEK_CUR) this.#at += by;
    else if (whence === AVSEEK_END) this.#at = size + by;
    this.#at = Math.max(0, this.#at);
    return BigInt(this.#at);
  }
}
