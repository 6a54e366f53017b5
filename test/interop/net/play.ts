import { setTimeout as sleep } from "node:timers/promises";
import type { Browser, Page } from "playwright-core";
import { openPage } from "../../browser/chromium.ts";
import { runInPage } from "../../browser/in-page.ts";
import { Network } from "./network.ts";
import type { Scenario } from "./scenarios.ts";
import { startSignallingProxy } from "./signalling-proxy.ts";

/** A node as viewers of a scenario meet it. */
export interface Subject {
  /** Its signalling, which says nothing first. */
  readonly signallingUrl: string;
  readonly udpPort: number;
  readonly cid: string;
}

/** What `watching.report()` of test/browser/pages/watch.ts resolves to. */
export interface Report {
  readonly frames: readonly number[];
  readonly heights: readonly { readonly atMs: number; readonly height: number }[];
  readonly sound: readonly { readonly atMs: number; readonly packets: number }[];
  readonly nowMs: number;
  readonly receivedBytes: number;
  readonly freezes: number;
  readonly packetsLost: number;
  readonly decoded: number;
  readonly dropped: number;
  readonly nacks: number;
  readonly retransmitted: number;
  readonly keyframeRequests: number;
  readonly state: string;
}

export interface Played {
  readonly viewers: readonly ViewerFigures[];
  /** Wait of packets at the bottleneck, 95th percentile, ms. */
  readonly waitP95Ms: number;
  /** Bytes that each viewer was sent, in the time that counts. */
  readonly shares: readonly number[];
  /** Share of packets to viewers that were lost, all causes. */
  readonly lossShare: number;
}

export interface ViewerFigures {
  /** Longest time without a new picture, from the first one to the end, ms. */
  readonly longestFreezeMs: number;
  /** Longest time without a packet of sound, ms. */
  readonly longestSilenceMs: number;
  readonly frames: number;
  /** Those of the last two seconds. */
  readonly lastFrames: number;
  readonly receivedBytes: number;
  /** Of the connection. */
  readonly state: string;
  /** More, for people. */
  readonly note: string;
}

/** Lets Chromium watch while the path does what the scenario says. */
export async function play(browser: Browser, subject: Subject, scenario: Scenario): Promise<Played> {
  await using network = await Network.open(subject.udpPort);
  await using proxy = await startSignallingProxy({
    target: subject.signallingUrl,
    ports: { node: subject.udpPort, network: network.port },
  });
  const [first, ...later] = scenario.steps;
  if (first?.path !== undefined) network.set(first.path);
  const pages = await Promise.all(
    Array.from({ length: scenario.viewers ?? 1 }, () => openViewer(browser, proxy.pageUrl)),
  );
  try {
    const { cid } = subject;
    await Promise.all(
      pages.map(page => page.evaluate(`watch(${JSON.stringify(proxy.url)}, ${JSON.stringify(cid)})`)),
    );
    await Promise.all(pages.map(page => firstPicture(page)));
    const beginMs = performance.now();
    await network.walk(later);
    await sleep(Math.max(0, beginMs + scenario.seconds * 1000 - performance.now()));
    const reports = await Promise.all(pages.map(page => page.evaluate<Report>("watching.report()")));
    await Promise.all(pages.map(page => page.evaluate("watching.stop()")));
    const { passed, lost, overflowed } = network.down.counts;
    return {
      viewers: reports.map(report => figuresOf(report)),
      waitP95Ms: quantile(network.down.waits, 0.95),
      shares: network.shares,
      lossShare: (lost + overflowed) / Math.max(1, passed + lost + overflowed),
    };
  } finally {
    await Promise.all(pages.map(page => page.close()));
  }
}

async function openViewer(browser: Browser, url: string): Promise<Page> {
  const { page } = await openPage(browser);
  await page.goto(url);
  await runInPage(page, "watch.ts");
  return page;
}

/** Where pictures do not come, sound has to do. */
async function firstPicture(page: Page): Promise<void> {
  await page.waitForFunction(
    "watching.report().then(({ frames, sound }) => frames.length > 0 || sound.length > 50)",
    undefined,
    { timeout: 30_000 },
  );
}

function figuresOf(report: Report): ViewerFigures {
  const { frames, sound, nowMs } = report;
  const heard = sound.filter((look, index) => look.packets > (sound[index - 1]?.packets ?? 0));
  const { decoded, dropped, nacks, retransmitted, keyframeRequests, receivedBytes, state } = report;
  return {
    frames: frames.length,
    lastFrames: frames.filter(atMs => atMs > nowMs - 2000).length,
    receivedBytes,
    state,
    note: ` (${decoded} decoded, ${dropped} dropped, ${nacks} NACKs, ${retransmitted} sent again, ${keyframeRequests} PLIs)`,
    longestFreezeMs: longestGap([...frames, nowMs]),
    longestSilenceMs: longestGap([...heard.map(({ atMs }) => atMs), nowMs]),
  };
}

/** Longest gap between neighbours of rising times. */
export function longestGap(times: readonly number[]): number {
  return times.reduce((longest, time, index) => Math.max(longest, time - (times[index - 1] ?? time)), 0);
}

export function quantile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? 0;
}

/** One line for people. */
export function summary(scenario: Scenario, { viewers, waitP95Ms, lossShare }: Played): string {
  const each = viewers.map(
    ({ frames, note, longestFreezeMs, longestSilenceMs, receivedBytes }) =>
      `${frames} frames${note}, freeze ${longestFreezeMs.toFixed(0)} ms, silence ${longestSilenceMs.toFixed(0)} ms, ${(receivedBytes / 1e6).toFixed(2)} MB`,
  );
  return `${scenario.name}: ${each.join(" | ")}; wait p95 ${waitP95Ms.toFixed(0)} ms, lost ${(lossShare * 100).toFixed(1)} %`;
}
