import { parentPort, workerData } from "node:worker_threads";
import { runHost } from "./host.ts";
import type { HostInit } from "./messages.ts";

// Entry of a media thread: started by spawnHost, which gives it a HostInit.
if (parentPort !== null) await runHost(workerData as HostInit, parentPort);
