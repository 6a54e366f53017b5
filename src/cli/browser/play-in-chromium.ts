import { spawn } from "node:child_process";
import { once } from "node:events";
import { access, mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import type { Finding } from "@cidcast/protocols/connectivity";
import WebSocket from "ws";
import { type AbortOptions, CidcastError, messageOf, raceSignal } from "../../core/index.ts";
import type { NodeApi } from "../api/node-api.ts";

const PROGRAMS = ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome"];
const FLAGS = [
  "--headless=new",
  "--remote-debugging-port=0",
  "--autoplay-policy=no-user-gesture-required",
  "--no-first-run",
  "--no-default-browser-check",
  "--disable-background-networking",
  "--disable-gpu",
];
/** Longest that the browser may take to show a picture, milliseconds. */
const PLAY_TIMEOUT_MS = 60_000;
/** Resolves in the page once the player shows pictures, or has stopped with an error. */
const WATCH = `new Promise(resolve => {
  const look = async () => {
    const player = document.querySelector("cid-player");
    if (player?.error) return resolve({ error: player.error.code + ": " + player.error.message });
    const { framesDecoded = 0, width, height } = player?.stats ? await player.stats() : {};
    if (framesDecoded > 0) return resolve({ framesDecoded, width, height });
    setTimeout(look, 100);
  };
  look();
})`;

type Outcome = Pick<Finding, "status" | "meaning" | "action">;

/** Plays a clip of the node in Chromium until the page has decoded a picture. */
export async function playInChromium(
  api: NodeApi,
  { env, signal }: AbortOptions & { readonly env: Readonly<Record<string, string | undefined>> },
): Promise<Outcome> {
  const program = await findChromium(env);
  if (program === undefined) {
    return {
      status: "skipped",
      meaning: "No Chromium is installed.",
      action: "Install one, or set CHROME_PATH.",
    };
  }
  const cid = await clipOf(api);
  if (api.url === undefined || cid === undefined) {
    return {
      status: "unknown",
      meaning: "There is no clip to play.",
      action: "Add a video: cidcast add <file>",
    };
  }
  const limit = AbortSignal.timeout(PLAY_TIMEOUT_MS);
  try {
    const shown = await watch(program, `${api.url}/play/${cid}`, {
      env,
      signal: signal === undefined ? limit : AbortSignal.any([limit, signal]),
    });
    if (shown.error === undefined) {
      return { status: "ok", meaning: `Chromium plays it: ${shown.framesDecoded} pictures decoded.` };
    }
    return { status: "fail", meaning: `The player stops with ${shown.error}.`, action: "See PLAYBACK." };
  } catch (error) {
    signal?.throwIfAborted();
    return {
      status: "fail",
      meaning: `No picture in Chromium: ${messageOf(error)}.`,
      action: "Start it by hand to see why; as root it needs --no-sandbox, see CHROME_FLAGS.",
    };
  }
}

async function findChromium(env: Readonly<Record<string, string | undefined>>): Promise<string | undefined> {
  const named = env["CHROME_PATH"];
  if (named !== undefined && named !== "") return named;
  for (const folder of (env["PATH"] ?? "").split(delimiter)) {
    for (const name of PROGRAMS) {
      const file = join(folder, name);
      if (
        await access(file).then(
          () => true,
          () => false,
        )
      )
        return file;
    }
  }
  return undefined;
}

async function clipOf(api: NodeApi): Promise<string | undefined> {
  for await (const { cid, contentType } of api.list(undefined)) {
    if (contentType.startsWith("video/")) return cid;
  }
  return undefined;
}

interface Shown {
  readonly error?: string;
  readonly framesDecoded?: number;
}

async function watch(
  program: string,
  url: string,
  {
    env,
    signal,
  }: { readonly signal: AbortSignal; readonly env: Readonly<Record<string, string | undefined>> },
): Promise<Shown> {
  const profile = await mkdtemp(join(tmpdir(), "cidcast-chromium-"));
  const flags = (env["CHROME_FLAGS"] ?? "").split(" ").filter(flag => flag !== "");
  const child = spawn(program, [...FLAGS, ...flags, `--user-data-dir=${profile}`, "about:blank"], {
    stdio: "ignore",
    env: { ...env },
  });
  const gone = once(child, "exit").then(() => {
    throw new CidcastError("INTERNAL", "Chromium has ended by itself");
  });
  gone.catch(() => undefined);
  try {
    const endpoint = await Promise.race([debugEndpoint(profile, signal), gone]);
    return await Promise.race([evaluate(endpoint, url, signal), gone]);
  } finally {
    if (child.exitCode === null) {
      const ended = once(child, "exit");
      child.kill("SIGKILL");
      await ended.catch(() => undefined);
    }
    await rm(profile, { recursive: true, force: true, maxRetries: 5 });
  }
}

/** Where the browser takes commands: it writes that down once it is up. */
async function debugEndpoint(profile: string, signal: AbortSignal): Promise<string> {
  for (;;) {
    signal.throwIfAborted();
    const text = await readFile(join(profile, "DevToolsActivePort"), "utf8").catch(() => "");
    const [port, path] = text.split("\n");
    if (port !== undefined && path !== undefined) return `ws://127.0.0.1:${port}${path}`;
    await new Promise(resolve => setTimeout(resolve, 50));
  }
}

/** Opens the page and waits for what {@link WATCH} gives. @see https://chromedevtools.github.io/devtools-protocol/ */
async function evaluate(endpoint: string, url: string, signal: AbortSignal): Promise<Shown> {
  const socket = new WebSocket(endpoint);
  const waiting = new Map<number, (result: Record<string, unknown>) => void>();
  let id = 0;
  const call = async (
    method: string,
    params: Record<string, unknown>,
    sessionId?: string,
  ): Promise<Record<string, unknown>> => {
    const { promise, resolve } = Promise.withResolvers<Record<string, unknown>>();
    waiting.set(++id, resolve);
    socket.send(JSON.stringify({ id, method, params, ...(sessionId !== undefined && { sessionId }) }));
    return raceSignal(promise, signal);
  };
  socket.on("message", data => {
    // The browser's own protocol: answers carry the id of what they answer.
    const told = JSON.parse(Buffer.isBuffer(data) ? data.toString("utf8") : "{}") as {
      id?: number;
      result?: Record<string, unknown>;
    };
    if (told.id !== undefined) waiting.get(told.id)?.(told.result ?? {});
  });
  try {
    await raceSignal(once(socket, "open"), signal);
    const { targetId } = await call("Target.createTarget", { url });
    const { sessionId } = await call("Target.attachToTarget", { targetId, flatten: true });
    for (;;) {
      const expression = { expression: WATCH, awaitPromise: true, returnByValue: true };
      const answer = await call("Runtime.evaluate", expression, String(sessionId));
      const result = answer["result"] as { value?: Shown } | undefined;
      // Undefined: the page was still on its way when it was asked.
      if (result?.value !== undefined) return result.value;
    }
  } finally {
    socket.terminate();
  }
}
