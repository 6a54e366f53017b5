import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import type { BenchMedia } from "./media.ts";

/** A server under test, in a process of its own. */
export interface Server extends AsyncDisposable {
  /** WHEP endpoint. */
  readonly url: string;
  readonly pid: number;
}

export interface Subjects {
  readonly media: BenchMedia;
  readonly dataDir: string;
  readonly cid: string;
  /** The Go program of this benchmark. */
  readonly program: string;
  /** MediaMTX's program, when there is one. */
  readonly mediamtx: string | undefined;
}

/** How each subject is started, by name. */
export function serversOf(subjects: Subjects): Readonly<Record<string, () => Promise<Server>>> {
  const { media, dataDir, cid, program, mediamtx } = subjects;
  const node = (egress: string) => async (): Promise<Server> => {
    const serve = fileURLToPath(new URL("./serve.ts", import.meta.url));
    const child = start(process.execPath, [serve, dataDir, egress]);
    return running(child, `${await urlOf(child)}/${cid}`);
  };
  return {
    "cidcast, batched": node("batched"),
    "cidcast, plain JavaScript": node("js"),
    "Pion, on demand": async () => {
      const child = start(program, ["serve", "-media", media.frames]);
      return running(child, await urlOf(child));
    },
    ...(mediamtx === undefined ? {} : { "MediaMTX, live": () => startMediamtx(mediamtx, program, media) }),
  };
}

/** MediaMTX with one live path, published by a process that does not count. */
async function startMediamtx(mediamtx: string, program: string, media: BenchMedia): Promise<Server> {
  const off = { MTX_RTSP: "no", MTX_RTMP: "no", MTX_HLS: "no", MTX_SRT: "no", MTX_API: "no", MTX_MOQ: "no" };
  const env = {
    ...process.env,
    ...off,
    MTX_LOGLEVEL: "error",
    MTX_WEBRTCADDRESS: "127.0.0.1:18889",
    MTX_WEBRTCLOCALUDPADDRESS: "127.0.0.1:18189",
    MTX_WEBRTCIPSFROMINTERFACES: "no",
    MTX_WEBRTCADDITIONALHOSTS: "127.0.0.1",
    MTX_PATHS_BENCH_SOURCE: "publisher",
  };
  const child = spawn(mediamtx, { env, stdio: ["pipe", "ignore", "inherit"] });
  await sleep(1000);
  const whip = "http://127.0.0.1:18889/bench/whip";
  const publisher = start(program, ["publish", "-media", media.frames, "-url", whip]);
  await urlOf(publisher);
  await sleep(500);
  const server = running(child, "http://127.0.0.1:18889/bench/whep");
  return {
    ...server,
    async [Symbol.asyncDispose]() {
      publisher.stdin?.end();
      child.kill("SIGTERM");
      await Promise.all([once(publisher, "exit"), once(child, "exit")]);
    },
  };
}

function start(program: string, args: readonly string[]): ChildProcess {
  return spawn(program, args, { stdio: ["pipe", "pipe", "inherit"] });
}

/** The address that a child names in its first line. */
async function urlOf(child: ChildProcess): Promise<string> {
  if (child.stdout === null) throw new Error("the server says nothing");
  const exited = once(child, "exit").then(() => ["{}"]);
  const [line] = await Promise.race([once(createInterface({ input: child.stdout }), "line"), exited]);
  const { url }: { url?: string } = JSON.parse(String(line));
  if (url === undefined) throw new Error("the server did not start");
  return url;
}

function running(child: ChildProcess, url: string): Server {
  const exited = once(child, "exit");
  return {
    url,
    pid: child.pid ?? 0,
    async [Symbol.asyncDispose]() {
      child.stdin?.end();
      await exited;
    },
  };
}
