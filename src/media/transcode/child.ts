// Entry of the transcode child: the only place where an encoder is loaded. It ends with the node that started it.
import { messageOf } from "../../core/index.ts";
import type { Backend, Transcoder } from "./child/backend.ts";
import { type FromChild, type ToChild, toChildSchema } from "./protocol.ts";

function send(message: FromChild): void {
  if (process.connected) process.send?.(message);
}

async function loadBackend(): Promise<Backend> {
  const program = process.env["FFMPEG_PATH"];
  if (program !== undefined && program !== "") {
    const { ffmpegBackend } = await import("./ffmpeg/ffmpeg-backend.ts");
    return ffmpegBackend(program);
  }
  const { nodeAvBackend } = await import("./child/node-av-backend.ts");
  return nodeAvBackend();
}

/** Works off messages one after the other. */
class Worker {
  readonly #backend: Backend;
  /** The job last opened, as soon as that is known: packets of another one still waiting are passed over. */
  #job: number | undefined;
  #transcoder: Transcoder | undefined;
  #queue: Promise<void> = Promise.resolve();

  constructor(backend: Backend) {
    this.#backend = backend;
  }

  receive(message: ToChild): void {
    if (message.type === "open") this.#job = message.job;
    if (message.type === "close") this.#job = undefined;
    this.#queue = this.#queue.then(() => this.#handle(message));
  }

  /** Ends what runs outside this process. */
  close(): void {
    this.#drop();
  }

  async #handle(message: ToChild): Promise<void> {
    try {
      await this.#work(message);
    } catch (error) {
      this.#drop();
      send({ type: "failed", job: message.job, message: messageOf(error) });
    }
  }

  async #work(message: ToChild): Promise<void> {
    const { job } = message;
    if (message.type === "open") {
      this.#drop();
      this.#transcoder = await this.#backend.open(message.spec, frames =>
        send({ type: "frames", job, frames: [...frames] }),
      );
      return;
    }
    if (message.type === "close") this.#drop();
    if (job !== this.#job || this.#transcoder === undefined) return;
    if (message.type === "packets") {
      await this.#transcoder.push(message.packets);
      send({ type: "ack", job });
      if (this.#transcoder.done !== true) return;
      this.#drop();
      send({ type: "ended", job });
    } else if (message.type === "end") {
      await this.#transcoder.finish();
      send({ type: "ended", job });
    }
  }

  #drop(): void {
    this.#transcoder?.close();
    this.#transcoder = undefined;
  }
}

process.once("disconnect", () => process.exit(0));
// The terminal sends Ctrl-C to the whole group; the node stops its children itself, in order.
process.on("SIGINT", () => undefined);
try {
  const backend = await loadBackend();
  const worker = new Worker(backend);
  process.once("exit", () => worker.close());
  process.on("message", message => worker.receive(toChildSchema.parse(message)));
  send({ type: "ready", encoder: backend.name });
} catch (error) {
  send({ type: "missing", reason: messageOf(error) });
  process.disconnect?.();
}
