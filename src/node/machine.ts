import { statfs } from "node:fs/promises";
import { freemem, totalmem } from "node:os";
import type { NodeStatus } from "@cidcast/protocols/node-api";
import type { NodeStatus as StatusFrame } from "../notify/index.ts";

/** What `/ws/status` tells: the node, and the machine it runs on, in percent. Bandwidth is not measured and so null. */
export function statusFrames(init: {
  readonly status: () => Promise<NodeStatus>;
  readonly dataDir: string;
  /** Pins being fetched now. */
  readonly pinning: () => number;
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
        bandwidth: { in: null, out: null },
      },
    };
  };
}

function percent(part: number, whole: number): number {
  return whole <= 0 ? 0 : Math.round((part / whole) * 1000) / 10;
}
