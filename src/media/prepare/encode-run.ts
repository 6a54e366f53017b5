import { type Cancel, CidcastError, type Clock, raceSignal, toCidcastError } from "../../core/index.ts";
import type { MediaPacket, PacketReader } from "../demux/track.ts";
import { PREPARE_STALL_MS } from "../limits.ts";
import type { EncoderPool } from "../transcode/jobs/encoder-pool.ts";
import type { EncoderProcess } from "../transcode/jobs/encoder-process.ts";
import { Progress } from "../transcode/jobs/progress.ts";
import type { JobSpec, Packet } from "../transcode/protocol.ts";

/** Batches that the child may have in hand. */
const BATCHES_IN_FLIGHT = 3;

/** Packets of one batch. */
const BATCH_PACKETS = 8;

/** One stretch of media for an encoder. */
export interface EncodeRun {
  readonly spec: JobSpec;
  /** The packet to begin with; undefined: nothing to encode. */
  readonly first: MediaPacket | undefined;
  readonly packets: Pick<PacketReader, "next">;
  readonly pool: EncoderPool;
  readonly clock: Clock;
  readonly signal: AbortSignal;
  /** Encoded frames, in order. */
  readonly onFrames: (frames: readonly Packet[]) => void;
  /** Waits until what came out has been taken in: nothing more is sent before. */
  readonly room: () => Promise<void>;
}

/** Sends a stretch through an encoder; resolves when all of it is out. `TRANSCODE_FAILED`, `ENCODER_MISSING`. */
export async function encodeRun(run: EncodeRun): Promise<void> {
  run.signal.throwIfAborted();
  const encoder = await takeEncoder(run);
  const over = Promise.withResolvers<void>();
  const state = { over: false, inFlight: 0 };
  const moved = new Progress();
  let stall: Cancel | undefined;
  const end = (error?: unknown): void => {
    if (state.over) return;
    state.over = true;
    if (error === undefined) over.resolve();
    else over.reject(error);
    moved.made();
  };
  const onAbort = (): void => end(run.signal.reason);
  run.signal.addEventListener("abort", onAbort, { once: true });
  const watch = (): void => {
    stall?.();
    stall = state.inFlight > 0 ? run.clock.after(PREPARE_STALL_MS, () => encoder.kill()) : undefined;
  };
  const take = (frames: readonly Packet[]): void => {
    try {
      run.onFrames(frames);
    } catch (error) {
      end(error);
    }
  };
  over.promise.catch(() => undefined);
  const job = encoder.nextJob();
  try {
    run.signal.throwIfAborted();
    void encoder.exited.then(why => end(failure(`the encoder died: ${why}`)));
    encoder.listen(message => {
      if (!("job" in message) || message.job !== job || state.over) return;
      if (message.type === "frames") take(message.frames);
      else if (message.type === "ack") {
        state.inFlight -= 1;
        watch();
        moved.made();
      } else if (message.type === "ended") end();
      else if (message.type === "failed") end(failure(message.message));
    });
    encoder.send({ type: "open", job, spec: run.spec });
    feed(run, encoder, { job, state, moved, watch }).catch(error => end(toCidcastError(error)));
    await over.promise;
  } finally {
    end();
    stall?.();
    run.signal.removeEventListener("abort", onAbort);
    encoder.send({ type: "close", job });
    run.pool.giveBack(encoder);
  }
}

/** A process may take long to start on a busy machine: who gives up does not wait for it, the next one gets it. */
async function takeEncoder({ pool, signal }: EncodeRun): Promise<EncoderProcess> {
  const taking = pool.take();
  try {
    return await raceSignal(taking, signal);
  } catch (error) {
    if (signal.aborted)
      taking.then(
        encoder => pool.giveBack(encoder),
        () => undefined,
      );
    throw error;
  }
}

function failure(why: string): CidcastError {
  return new CidcastError("TRANSCODE_FAILED", `Preparing failed: ${why}`);
}

async function feed(
  run: EncodeRun,
  encoder: EncoderProcess,
  flow: {
    readonly job: number;
    readonly state: { readonly over: boolean; inFlight: number };
    readonly moved: Progress;
    readonly watch: () => void;
  },
): Promise<void> {
  const { job, state, moved, watch } = flow;
  let packet = run.first;
  while (packet !== undefined && !state.over) {
    if (state.inFlight >= BATCHES_IN_FLIGHT) {
      await moved.next();
      continue;
    }
    await run.room();
    const batch: Packet[] = [];
    while (packet !== undefined && batch.length < BATCH_PACKETS) {
      const { data, timestamp, type } = packet;
      batch.push({ data, ptsUs: timestamp * 1e6, key: type === "key" });
      packet = await run.packets.next(packet);
    }
    if (state.over) return;
    state.inFlight += 1;
    watch();
    encoder.send({ type: "packets", job, packets: batch });
  }
  if (!state.over) encoder.send({ type: "end", job });
}
