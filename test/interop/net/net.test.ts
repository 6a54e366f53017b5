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
import { type Played, play, type Subject, summary } from "./play.ts";
import { type Scenario, SCENARIOS } from "./scenarios.ts";

const SAMPLE = fileURLToPath(new URL("../../../samples/sample-720p.mp4", import.meta.url));
const CID = "film";
let browser: Browser;
let server: SignallingServer;
let subject: Subject;
let directory = "";

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), "cidcast-net-"));
  const { mp4 } = await makeMedia(SAMPLE, directory);
  const media = await mediaOf({ [CID]: await readFile(mp4) });
  [browser, server] = await Promise.all([launchChromium(), startSignallingServer({ media })]);
  const [address] = server.manager.addresses;
  subject = { signallingUrl: server.url, udpPort: address?.port ?? 0, cid: CID };
});
afterAll(async () => {
  await browser?.close();
  await server?.[Symbol.asyncDispose]();
  await rm(directory, { recursive: true, force: true });
});

/** Longest freeze over a clean path beyond three pictures, ms: what the machine itself does, and no path. */
let hindranceMs = 0;
/** A bound of milliseconds as this machine can hold it now. */
const within = (ms: number): number => ms + hindranceMs;

/** Plays a scenario and holds it to its bounds, in two tries: chance loses other packets each time. */
async function holds(scenario: Scenario, check: (played: Played) => void): Promise<void> {
  for (let attempt = 1; ; attempt++) {
    const played = await play(browser, subject, scenario);
    console.log(summary(scenario, played));
    try {
      check(played);
      return;
    } catch (error) {
      if (attempt === 2) throw error;
    }
  }
}

const only = ({ viewers }: Played) => {
  const [viewer] = viewers;
  if (viewer === undefined) throw new Error("nobody watched");
  return viewer;
};

/** 2.5 Mbit/s of one quality, as Chromium sees them through a path that is not perfect. */
describe("a network", () => {
  test("without faults changes nothing", async () => {
    await holds(SCENARIOS.clean, played => {
      const { longestFreezeMs, report } = only(played);
      hindranceMs = Math.max(0, longestFreezeMs - 100);
      expect(report.packetsLost).toBe(0);
      expect(report.decoded).toBeGreaterThan(100);
    });
  });
});

describe.skipIf(!HOLDS_BOUNDS)("a network with faults (CIDCAST_TEST_BOUNDS=1)", () => {
  test("that loses 5 % costs no freeze above 200 ms", async () => {
    await holds(SCENARIOS.loss, played => {
      expect(played.lossShare).toBeGreaterThan(0.03);
      expect(only(played).longestFreezeMs).toBeLessThanOrEqual(within(200));
    });
  });

  test("that loses 10 % in bursts plays on", async () => {
    await holds(SCENARIOS.bursts, played => {
      expect(played.lossShare).toBeGreaterThan(0.05);
      expect(only(played).longestFreezeMs).toBeLessThanOrEqual(within(1500));
      expect(only(played).longestSilenceMs).toBeLessThanOrEqual(within(1000));
    });
  });

  test("with jitter and reordering costs no freeze above 200 ms", async () => {
    await holds(SCENARIOS.jitter, played => {
      expect(only(played).longestFreezeMs).toBeLessThanOrEqual(within(200));
    });
  });

  test("of 200 kbit/s carries the sound", async () => {
    await holds(SCENARIOS.narrow, played => {
      expect(only(played).longestSilenceMs).toBeLessThanOrEqual(within(2000));
      expect(only(played).report.state).toBe("connected");
    });
  });

  test("of 6 Mbit/s is shared by three within a factor of 1.5", async () => {
    await holds(SCENARIOS.shared, ({ viewers }) => {
      const bytes = viewers.map(({ report }) => report.receivedBytes);
      expect(Math.max(...bytes) / Math.min(...bytes)).toBeLessThanOrEqual(1.5);
    });
  });

  test("that narrows to 900 kbit/s keeps the sound, and the picture is back when it widens", async () => {
    await holds(SCENARIOS.squeezed, played => {
      const { longestSilenceMs, report } = only(played);
      expect(longestSilenceMs).toBeLessThanOrEqual(within(2000));
      const lastSeconds = report.frames.filter(atMs => atMs > report.nowMs - 2000);
      expect(lastSeconds.length).toBeGreaterThan(20);
    });
  });

  test("that others fill for a while keeps the sound, and the picture is back after them", async () => {
    await holds(SCENARIOS.crossed, played => {
      const { longestSilenceMs, report } = only(played);
      expect(longestSilenceMs).toBeLessThanOrEqual(within(2000));
      expect(report.frames.filter(atMs => atMs > report.nowMs - 2000).length).toBeGreaterThan(20);
    });
  });

  test("in which a viewer's address changes is followed", async () => {
    await holds(SCENARIOS.moved, played => {
      const { report, longestFreezeMs } = only(played);
      expect(report.state).toBe("connected");
      expect(longestFreezeMs).toBeLessThanOrEqual(within(4000));
      expect(report.frames.filter(atMs => atMs > report.nowMs - 2000).length).toBeGreaterThan(20);
    });
  });
});
