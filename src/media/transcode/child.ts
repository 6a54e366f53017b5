// Entry of the transcode child: the only place where an encoder is loaded. It ends with the node that started it.
import { flushCompileCache } from "node:module";
import { messageOf } from "../../core/index.ts";
import type { Backend, Transcoder } from "./child/backend.ts";
import type { DemuxWorker } from "../demux/library/child/demux-worker.ts";
import { type DemuxToChild, isDemux } from "../demux/library/protocol.ts";
import { type FromChild, type ToChild, toChildSchema } from "./protocol.ts";

function send(message: FromChild): void {
  if (process.connected) process.send?.(message);
}

async function loadBackend(): Promise<Backend> {
  const program = process.env["FFMPEG_PATH"];
  if (program !== undefined && program !== "") {
    const { ffmpegBackend } = await import("./ffmpeg/ffmpeg-backend.ts");
    const backend = await ffmpegBackend(program);
    return {
      name: backend.name,
      // What the library has demuxed it decodes itself: it is there, and its packets fit no stream for the program.
      open: async (spec, emit) =>
        (spec.decoder.libraryCodec === undefined ? backend : await library()).open(spec, emit),
    };
  }
  return library();
}

async function library(): Promise<Backend> {
  const { nodeAvBackend } = await import("./child/node-av-backend.ts");
  return nodeAvBackend();
}

type JobMessage = Extract<ToChild, { readonly job: number }>;

/** Works off messages about jobs one after the other. */
class Worker {
  readonly #backend: Backend;
  /** The job last opened, as soon as that is known: packets of another one still waiting are passed over. */
  #job: number | undefined;
  #transcoder: Transcoder | undefined;
  #queue: Promise<void> = Promise.resolve();

  constructor(backend: Backend) {
    this.#backend = backend;
  }

  receive(message: JobMessage): void {
    if (message.type === "open") this.#job = message.job;
    if (message.type === "close") this.#job = undefined;
    this.#queue = this.#queue.then(() => this.#handle(message));
  }

  /** Ends what runs outside this process. */
  close(): void {
    void this.#drop();
  }

  async #handle(message: JobMessage): Promise<void> {
    try {
      await this.#work(message);
    } catch (error) {
      await this.#drop();
      send({ type: "failed", job: message.job, message: messageOf(error) });
    }
  }

  async #work(message: JobMessage): Promise<void> {
    const { job } = message;
    if (message.type === "open") {
      await this.#drop();
      this.#transcoder = await this.#backend.open(message.spec, frames =>
        send({ type: "frames", job, frames: [...frames] }),
      );
      return;
    }
    if (message.type === "close") await this.#drop();
    if (job !== this.#job || this.#transcoder === undefined) return;
    if (message.type === "pace") this.#transcoder.pace?.(message);
    else if (message.type === "packets") {
      await this.#transcoder.push(message.packets);
      send({ type: "ack", job });
      if (this.#transcoder.done !== true) return;
      await this.#drop();
      send({ type: "ended", job });
    } else if (message.type === "end") {
      await this.#transcoder.finish();
      send({ type: "ended", job });
    }
  }

  async #drop(): Promise<void> {
    const transcoder = this.#transcoder;
    this.#transcoder = undefined;
    await transcoder?.close();
  }
}

let demuxer: Promise<DemuxWorker> | undefined;

/** The demuxer is loaded when a file needs it, whichever way this child encodes. */
function demux(message: DemuxToChild): void {
  demuxer ??= import("../demux/library/child/demux-worker.ts").then(module => new module.DemuxWorker(send));
  demuxer.then(
    worker => worker.receive(message),
    (error: unknown) => {
      if ("request" in message)
        send({ type: "demux-failed", request: message.request, message: messageOf(error) });
    },
  );
}

process.once("disconnect", () => process.exit(0));
// The terminal sends Ctrl-C to the whole group; the node stops its children itself, in order.
process.on("SIGINT", () => undefined);
try {
  const backend = await loadBackend();
  const worker = new Worker(backend);
  process.once("exit", () => worker.close());
  process.on("message", raw => {
    const message = toChildSchema.parse(raw);
    if (message.type === "ping") send({ type: "pong" });
    else if (isDemux(message)) demux(message);
    else worker.receive(message);
  });
  send({ type: "ready", encoder: backend.name });
  // A process that is killed writes nothing at its end.
  flushCompileCache();
} catch (error) {
  send({ type: "missing", reason: messageOf(error) });
  process.disconnect?.();
}
