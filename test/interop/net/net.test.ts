import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { Browser } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { makeMedia } from "../../../bench/viewers/media.ts";
import { launchChromium } from "../../browser/chromium.ts";
import { mediaOf, type SignallingServer, startSignallingServer } from "../../webrtc/signalling-server.ts";
import { HOLDS_BOUNDS } from "../bounds.ts";
import { buildPion, type PionProgram } from "../pion/build.ts";
import { BOUND_NAMES, BOUNDS, broken, hindranceMs } from "./bounds.ts";
import { type Played, play, type Subject, summary } from "./play.ts";
import { playPion } from "./play-pion.ts";
import { type Scenario, SCENARIOS } from "./scenarios.ts";

const SAMPLE = fileURLToPath(new URL("../../../samples/sample-720p.mp4", import.meta.url));
/** The sample has 24 seconds, fewer than the longest scenario. */
const FILM_TIMES = 2;
const CID = "film";
let server: SignallingServer;
let subject: Subject;
let directory = "";
let pion: PionProgram;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), "cidcast-net-"));
  const { mp4 } = await makeMedia(SAMPLE, directory, FILM_TIMES);
  const media = await mediaOf({ [CID]: await readFile(mp4) });
  [server, pion] = await Promise.all([startSignallingServer({ media }), buildPion()]);
  const [address] = server.manager.addresses;
  subject = { signallingUrl: server.url, udpPort: address?.port ?? 0, cid: CID };
});
afterAll(async () => {
  await server?.[Symbol.asyncDispose]();
  await rm(directory, { recursive: true, force: true });
});

function one<T>([first]: readonly T[]): T {
  if (first === undefined) throw new Error("nobody watched");
  return first;
}

const only = ({ viewers }: Played) => one(viewers);

/** A machine that stalls a clean path for longer than this makes bounds of other paths say nothing, ms. */
const BUSY_MS = 150;

/** A scenario played, and by how much the machine hindered it: a clean path was played beside. */
interface Tried {
  readonly played: Played;
  readonly hinderedMs: number;
}

/**
 * 2.5 Mbit/s of one quality. All paths at once, and a clean one beside them: what that one stalls is the machine's doing, in the
 * node, in the paths and in the viewers, and is allowed for twice, there and back. A bound that does not hold is tried once more
 * by itself: chance loses other packets each time.
 */
describe("viewers on Pion, on a network", () => {
  const seen = new Map<string, Tried>();

  async function playAll(scenarios: readonly Scenario[]): Promise<readonly Tried[]> {
    const { program } = pion;
    if (program === undefined) throw new Error(pion.missing);
    const seconds = Math.max(...scenarios.map(scenario => scenario.seconds));
    const all = [{ ...SCENARIOS.clean, seconds }, ...scenarios];
    const played = await Promise.all(all.map(scenario => playPion(program, subject, scenario)));
    for (const [i, each] of played.entries()) console.log(summary(all[i] ?? SCENARIOS.clean, each));
    const [clean, ...others] = played;
    const hinderedMs = clean === undefined ? 0 : hindranceMs(only(clean));
    return others.map(each => ({ played: each, hinderedMs }));
  }

  beforeAll(async () => {
    if (pion.program === undefined) return;
    const tried = await playAll(BOUND_NAMES.map(name => SCENARIOS[name]));
    for (const [i, each] of tried.entries()) seen.set(BOUND_NAMES[i] ?? "", each);
  });

  test.for(BOUND_NAMES)("of the kind %s are shown what they are to be", async (name, ctx) => {
    ctx.skip(pion.program === undefined, pion.missing);
    // Not held yet: freezes of 460 to 800 ms were seen, where Chromium stays at 100 on the same path.
    ctx.skip(name === "loss" && !HOLDS_BOUNDS, "held on request only (CIDCAST_TEST_BOUNDS=1)");
    let tried = seen.get(name) ?? one(await playAll([SCENARIOS[name]]));
    let complaints = broken(BOUNDS[name], tried.played, tried.hinderedMs);
    if (complaints.length > 0) {
      tried = one(await playAll([SCENARIOS[name]]));
      complaints = broken(BOUNDS[name], tried.played, tried.hinderedMs);
    }
    const { hinderedMs } = tried;
    const busy = complaints.length > 0 && hinderedMs > BUSY_MS;
    ctx.skip(
      busy,
      `the machine itself stalled a clean path by ${hinderedMs.toFixed(0)} ms: ${complaints.join()}`,
    );
    expect(complaints).toEqual([]);
  });
});

describe("Chromium on a network", () => {
  let browser: Browser;
  let hinderedMs = 0;
  let cleanBytes = Number.NaN;
  beforeAll(async () => {
    browser = await launchChromium();
  });
  afterAll(async () => {
    await browser?.close();
  });

  test("without faults loses nothing", async () => {
    const played = await play(browser, subject, SCENARIOS.clean);
    console.log(summary(SCENARIOS.clean, played));
    hinderedMs = hindranceMs(only(played));
    cleanBytes = only(played).receivedBytes;
    expect(played.lossShare).toBe(0);
    expect(only(played).receivedBytes).toBeGreaterThan(1e6);
  });

  test("that is jittery and loses packets plays on", async () => {
    const played = await play(browser, subject, SCENARIOS.rough);
    console.log(summary(SCENARIOS.rough, played));
    // What a busy machine does not show is its own doing; a node that gives up pictures sends less than half.
    expect(only(played).receivedBytes).toBeGreaterThan(cleanBytes / 2);
  });

  test.skipIf(!HOLDS_BOUNDS).each(BOUND_NAMES)("of the kind %s is shown what it is to be", async name => {
    const played = await play(browser, subject, SCENARIOS[name]);
    console.log(summary(SCENARIOS[name], played));
    expect(broken(BOUNDS[name], played, hinderedMs)).toEqual([]);
  });
});
