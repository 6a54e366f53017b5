import { statfs } from "node:fs/promises";
import { freemem, totalmem } from "node:os";
import type { NodeStatus } from "@cidcast/protocols/node-api";
import type { NodeStatus as StatusFrame } from "../notify/index.ts";
import { systemClock } from "../core/index.ts";
import { createTrafficMeter, type Traffic } from "../telemetry/index.ts";
import type { RunningWebRTC } from "../webrtc/index.ts";
import { closing } from "./parts.ts";
import type { Shared } from "./shared.ts";

/** What `/ws/status` tells: the node, the machine it runs on, in percent, and what this process moves, bytes per second. */
export function statusFrames(init: {
  readonly status: () => Promise<NodeStatus>;
  readonly dataDir: string;
  /** Pins being fetched now. */
  readonly pinning: () => number;
  readonly traffic: () => Traffic;
}): () => Promise<StatusFrame> {
  let seen = { cpu: process.cpuUsage(), atMs: performance.now() };
  return async () => {
    const { parts, peers } = await init.status();
    const now = { cpu: process.cpuUsage(), atMs: performance.now() };
    const busyMs = (now.cpu.user + now.cpu.system - seen.cpu.user - seen.cpu.system) / 1000;
    const cpu = percent(busyMs, now.atMs - seen.atMs);
    seen = now;
    const { blocks, bfree } = await statfs(init.dataDir);
    return {
      ipfs_online: parts.some(({ name, state }) => name === "content" && state === "ready"),
      peers_connected: peers,
      pins_in_progress: init.pinning(),
      system_info: {
        cpu_usage: cpu,
        memory_usage: percent(totalmem() - freemem(), totalmem()),
        disk_usage: percent(blocks - bfree, blocks),
        bandwidth: init.traffic(),
      },
    };
  };
}

/** Measures from now on what this process moves: TCP of every kind, and media. */
export function measureTraffic(
  { opened }: Pick<Shared, "opened">,
  webrtc: () => RunningWebRTC | undefined,
): () => Traffic {
  const others = async (): Promise<Traffic> => ({ in: 0, out: (await webrtc()?.hostStats())?.bytes ?? 0 });
  const meter = createTrafficMeter({ clock: systemClock, others });
  opened.push(closing("traffic", () => meter[Symbol.dispose]()));
  return () => meter.rates();
}

function percent(part: number, whole: number): number {
  return whole <= 0 ? 0 : Math.round((part / whole) * 1000) / 10;
}
