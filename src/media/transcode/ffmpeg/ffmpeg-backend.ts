import { type ChildProcess, execFile, spawn } from "node:child_process";
import { promisify } from "node:util";
import type { Backend, Transcoder } from "../child/backend.ts";
import type { JobSpec, LiveJobSpec, Packet } from "../protocol.ts";
import { isWorthless, NAL_IDR, nalType, splitLengthPrefixed } from "../../demux/nal.ts";
import { ffmpegArguments, TIME_SHIFT_SECONDS } from "./arguments.ts";
import { FragmentParser, type FragmentSample } from "./fragment-parser.ts";
import { MatroskaWriter } from "./matroska-writer.ts";

/** Longest that `ffmpeg -version` may take, milliseconds. */
const VERSION_TIMEOUT_MS = 5000;

const START_CODE = Buffer.from([0, 0, 0, 1]);

/** Encodes with an ffmpeg program, one process to a job. */
export async function ffmpegBackend(path: string): Promise<Backend> {
  const { stdout } = await promisify(execFile)(path, ["-version"], { timeout: VERSION_TIMEOUT_MS });
  const version = /^ffmpeg version (\S+)/.exec(stdout)?.[1] ?? "of unknown version";
  return {
    name: `ffmpeg ${version}`,
    open: async (spec, emit) => new FfmpegJob(path, live(spec), emit),
  };
}

/** Ladders and single pictures take the library: the node does not ask for them here. */
function live(spec: JobSpec): LiveJobSpec {
  if (spec.kind === "video" || spec.kind === "audio") return spec;
  throw new Error("Ladders and pictures are made with node-av alone");
}

/** One run of ffmpeg: packets go in as Matroska, frames come out of fragmented MP4. */
class FfmpegJob implements Transcoder {
  readonly #spec: LiveJobSpec;
  readonly #emit: (frames: readonly Packet[]) => void;
  readonly #process: ChildProcess;
  readonly #writer: MatroskaWriter;
  readonly #parser = new FragmentParser();
  readonly #exited: Promise<void>;
  #stderr = "";
  #failure: Error | undefined;
  #closed = false;

  constructor(path: string, spec: LiveJobSpec, emit: (frames: readonly Packet[]) => void) {
    this.#spec = spec;
    this.#emit = emit;
    this.#process = spawn(path, ffmpegArguments(spec), { stdio: ["pipe", "pipe", "pipe"] });
    const { stdin, stdout, stderr } = this.#process;
    if (stdin === null || stdout === null || stderr === null) throw new Error("ffmpeg has no pipes");
    // A closed pipe is told by the exit of the process, with its reason.
    stdin.on("error", () => undefined);
    stdout.on("data", (chunk: Buffer) => this.#hear(chunk));
    stderr.on("data", (chunk: Buffer) => (this.#stderr = (this.#stderr + chunk.toString()).slice(-1000)));
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#exited = promise;
    this.#process.once("error", error => {
      this.#failure ??= error;
      resolve();
    });
    this.#process.once("close", code => {
      if (code !== 0) this.#failure ??= new Error(`ffmpeg ended with code ${code}: ${this.#stderr.trim()}`);
      resolve();
    });
    this.#writer = new MatroskaWriter(spec, stdin, TIME_SHIFT_SECONDS);
  }

  async push(packets: readonly Packet[]): Promise<void> {
    this.#check();
    const writing = this.#writer.write(packets);
    await Promise.race([writing, this.#exited]);
    this.#check();
  }

  async finish(): Promise<void> {
    await Promise.race([this.#writer.end(), this.#exited]);
    await this.#exited;
    this.#check();
  }

  close(): void {
    this.#closed = true;
    this.#process.kill("SIGKILL");
  }

  #check(): void {
    if (this.#failure !== undefined && !this.#closed) throw this.#failure;
  }

  #hear(chunk: Buffer): void {
    if (this.#closed || this.#failure !== undefined) return;
    try {
      const frames = this.#parser.push(chunk).map(sample => this.#frameOf(sample));
      if (frames.length > 0) this.#emit(frames);
    } catch (error) {
      this.#failure = error instanceof Error ? error : new Error(String(error));
    }
  }

  #frameOf({ data, ptsSeconds }: FragmentSample): Packet {
    const seconds = ptsSeconds - TIME_SHIFT_SECONDS;
    if (this.#spec.kind === "audio") {
      return { data, ptsUs: Math.round(seconds * this.#spec.tempo * 1e6), key: true };
    }
    const ptsUs = Math.round(seconds * 1e6);
    const nals = (splitLengthPrefixed(data, 4) ?? []).filter(nal => !isWorthless(nal));
    return {
      data: Buffer.concat(nals.flatMap(nal => [START_CODE, nal])),
      ptsUs,
      key: nals.some(nal => nalType(nal) === NAL_IDR),
    };
  }
}
