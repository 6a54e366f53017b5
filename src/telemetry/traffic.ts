import { channel } from "node:diagnostics_channel";
import type { Socket } from "node:net";
import type { Clock } from "../core/index.ts";

/** Time between two looks at the meters, milliseconds. */
const SAMPLE_INTERVAL_MS = 1000;
/** Looks that are kept: rates are over the last seconds. */
const SAMPLES = 6;

/** Bytes, or bytes per second, by direction. */
export interface Traffic {
  readonly in: number;
  readonly out: number;
}

export interface TrafficMeterInit {
  readonly clock: Clock;
  /** Bytes so far that leave or come in another way than by TCP, such as media by UDP. */
  readonly others?: () => Promise<Traffic>;
}

/** Measures what this process moves over the network. */
export interface TrafficMeter extends Disposable {
  /** Bytes per second over the last 5 seconds, or since the start when that is later. */
  rates(): Traffic;
}

/** Node.js tells of each TCP connection of the process here, those of its libraries too, whichever side opened it. */
const CHANNELS = ["net.server.socket", "net.client.socket"];

/** Counts the bytes of every TCP connection that begins from now on, and what `others` says. */
export function createTrafficMeter({ clock, others }: TrafficMeterInit): TrafficMeter {
  const open = new Set<Socket>();
  const closed = { in: 0, out: 0 };
  let elsewhere: Traffic = { in: 0, out: 0 };
  const onSocket = (message: unknown): void => {
    // What these channels carry, as Node.js documents it.
    const { socket } = message as { readonly socket: Socket };
    open.add(socket);
    socket.once("close", () => {
      open.delete(socket);
      closed.in += socket.bytesRead;
      closed.out += socket.bytesWritten;
    });
  };
  for (const name of CHANNELS) channel(name).subscribe(onSocket);

  const totals = (): Traffic => {
    const sum = { in: closed.in + elsewhere.in, out: closed.out + elsewhere.out };
    for (const socket of open) {
      sum.in += socket.bytesRead;
      sum.out += socket.bytesWritten;
    }
    return sum;
  };
  const look = (): Traffic & { readonly atMs: number } => ({ ...totals(), atMs: clock.monotonicMs() });
  const samples = [look()];
  const stop = clock.every(SAMPLE_INTERVAL_MS, () => {
    samples.push(look());
    if (samples.length > SAMPLES) samples.shift();
    // A meter that does not answer, as in a stop, leaves the figure as it was.
    others?.().then(
      now => {
        elsewhere = now;
      },
      () => undefined,
    );
  });
  return {
    rates() {
      const [first] = samples;
      const now = look();
      const seconds = first === undefined ? 0 : (now.atMs - first.atMs) / 1000;
      if (first === undefined || seconds <= 0) return { in: 0, out: 0 };
      return {
        in: Math.round(Math.max(0, now.in - first.in) / seconds),
        out: Math.round(Math.max(0, now.out - first.out) / seconds),
      };
    },
    [Symbol.dispose]() {
      stop();
      for (const name of CHANNELS) channel(name).unsubscribe(onSocket);
      open.clear();
    },
  };
}
