import { createInterface } from "node:readline";
import { setTimeout as sleep } from "node:timers/promises";

/** Makes a notification of about 200 bytes. */
export const PAD = "x".repeat(80);

/** Obeys `emit <count> <per turn> <ms between turns>`, `cpu` and `memory`; answers each with a line. */
export function control(url: string, emit: (pad: string) => void): void {
  const say = (value: unknown): void => console.log(JSON.stringify(value));
  say({ url });
  createInterface({ input: process.stdin }).on("line", line => void obey(line));
  const obey = async (line: string): Promise<void> => {
    const [command, ...args] = line.split(" ");
    if (command === "cpu") {
      const { user, system } = process.cpuUsage();
      say({ cpuMs: (user + system) / 1000 });
    } else if (command === "memory") {
      globalThis.gc?.();
      say({ rss: process.memoryUsage().rss });
    } else if (command === "emit") {
      const [count = 0, perTurn = 1, pauseMs = 0] = args.map(Number);
      for (let n = 0; n < count; n += perTurn) {
        for (let k = 0; k < perTurn; k += 1) emit(PAD);
        if (n + perTurn < count) await sleep(pauseMs);
      }
      say({ emitted: count });
    }
  };
}
