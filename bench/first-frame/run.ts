// offer_request → first decoded frame in Chromium, beside an HTML5 <video> on the same file of the same node, in turns.
// `npm run bench -- first-frame [--runs N] [--cold N] [--kinds N]`
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { createReadStream } from "node:fs";
import { cpus, tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import type { Browser, Page } from "playwright-core";
import { createNode } from "../../src/node.ts";
import { launchChromium, openPage } from "../../test/browser/chromium.ts";
import { type FirstFrame, type LoopbackResult, runInPage } from "../../test/browser/in-page.ts";
import { addKinds, type KindOfFile } from "./kinds.ts";
import { type Figures, figuresOf, tableOf } from "./figures.ts";
import { startNodeProcess } from "./node-process.ts";

/** What the issue of this benchmark asks for, ms. */
const GOALS = {
  warmPassthroughP50: 120,
  warmPreparedP50: 120,
  coldFirstViewer: 300,
  warmTranscoded: 900,
} as const;
const SAMPLES = fileURLToPath(new URL("../../samples", import.meta.url));
const ARTIFACTS = fileURLToPath(new URL("../../artifacts/bench", import.meta.url));

const { values } = parseArgs({
  options: {
    runs: { type: "string", default: "20" },
    cold: { type: "string", default: "5" },
    kinds: { type: "string", default: "5" },
  },
});
const runs = Number(values.runs);
const coldRuns = Number(values.cold);
const kindRuns = Number(values.kinds);

/** Puts both samples and the files of each kind into a data directory, and makes a ladder of one; resolves to their CIDs. */
async function prepare(dataDir: string) {
  await using node = await createNode({ dataDir, sample: false, logLevel: "error" }, { serve: false });
  const add = async (name: string): Promise<string> =>
    (await node.content.add(createReadStream(join(SAMPLES, name)), { name })).cid;
  const passthrough = await add("sample-720p.mp4");
  const transcoded = await add("sample-real-world.mp4");
  // A file that was prepared plays its ladder: an empty box at the end makes another file of the same.
  const same = async function* () {
    yield* createReadStream(join(SAMPLES, "sample-720p.mp4"));
    yield Buffer.from("0000000866726565", "hex");
  };
  const { cid: source } = await node.content.add(same());
  const job = await node.prepare.submit(source, { presets: ["very_low", "low"] });
  const { result } = await node.prepare.ended(job.id);
  const kinds = await addKinds(node, kindRuns);
  return { passthrough, transcoded, prepared: result?.root ?? "", kinds };
}

/** A page of the node with the measuring script, in a browser whose own WebRTC has run once. */
async function openMeter(browser: Browser, url: string): Promise<Page> {
  const { page } = await openPage(browser);
  await page.goto(`${url}/`);
  await runInPage(page, "loopback.ts");
  await page.evaluate<LoopbackResult>("loopback()");
  await runInPage(page, "first-frame.ts");
  await page.evaluate("firstFrame.signalling().then(() => undefined)");
  return page;
}

const webrtc = (page: Page, cid: string): Promise<FirstFrame> =>
  page.evaluate<FirstFrame>(`firstFrame.webrtcFirstFrame(${JSON.stringify(cid)})`);
const webrtcSound = (page: Page, cid: string): Promise<FirstFrame> =>
  page.evaluate<FirstFrame>(`firstFrame.webrtcFirstSound(${JSON.stringify(cid)})`);
const html5 = (page: Page, cid: string, run: string): Promise<FirstFrame> =>
  page.evaluate<FirstFrame>(`firstFrame.videoFirstFrame(${JSON.stringify(cid)}, ${JSON.stringify(run)})`);

async function warm(browser: Browser, dataDir: string, cids: Awaited<ReturnType<typeof prepare>>) {
  await using node = await startNodeProcess(dataDir);
  const page = await openMeter(browser, node.url);
  const series: Record<string, FirstFrame[]> = { webrtc: [], prepared: [], video: [], transcoded: [] };
  await webrtc(page, cids.passthrough);
  await webrtc(page, cids.prepared);
  await html5(page, cids.passthrough, "warm-up");
  const transcodedFirst = await webrtc(page, cids.transcoded);
  for (let run = 0; run < runs; run += 1) {
    series["webrtc"]?.push(await webrtc(page, cids.passthrough));
    series["prepared"]?.push(await webrtc(page, cids.prepared));
    series["video"]?.push(await html5(page, cids.passthrough, `run-${run}`));
    series["transcoded"]?.push(await webrtc(page, cids.transcoded));
  }
  await page.close();
  return { series, transcodedFirst };
}

/** For each kind the first viewer of a file, and one who comes when all of its start is stored. */
async function ofKinds(browser: Browser, dataDir: string, kinds: readonly KindOfFile[]): Promise<Figures[]> {
  await using node = await startNodeProcess(dataDir);
  const page = await openMeter(browser, node.url);
  const all: Figures[] = [];
  for (const { name, hasPictures, cids } of kinds) {
    const first: number[] = [];
    const again: number[] = [];
    for (const cid of cids) {
      const measure = async (): Promise<number> =>
        (
          await (hasPictures ? webrtc : webrtcSound)(page, cid).catch((error: unknown) => {
            throw new Error(name, { cause: error });
          })
        ).elapsedMs;
      first.push(await measure());
      again.push(await measure());
    }
    all.push(figuresOf(`${name}: first viewer`, first), figuresOf(`${name}: again`, again));
  }
  await page.close();
  return all;
}

async function cold(browser: Browser, dataDir: string, cid: string): Promise<FirstFrame[]> {
  const all: FirstFrame[] = [];
  for (let run = 0; run < coldRuns; run += 1) {
    await using node = await startNodeProcess(dataDir);
    const page = await openMeter(browser, node.url);
    all.push(await webrtc(page, cid));
    await page.close();
  }
  return all;
}

const times = (all: readonly FirstFrame[] = []): number[] => all.map(({ elapsedMs }) => elapsedMs);
const markTimes = (all: readonly FirstFrame[] = [], name: string): number[] =>
  all.map(({ marks }) => marks[name]).filter(ms => ms !== undefined);

const dataDir = await mkdtemp(join(tmpdir(), "cidcast-first-frame-"));
const browser = await launchChromium();
try {
  const cids = await prepare(dataDir);
  const { series, transcodedFirst } = await warm(browser, dataDir, cids);
  const passthroughCold = await cold(browser, dataDir, cids.passthrough);
  const transcodedCold = await cold(browser, dataDir, cids.transcoded);
  const all: Figures[] = [
    figuresOf("WebRTC, passed through, warm", times(series["webrtc"])),
    figuresOf("– of which until the offer", markTimes(series["webrtc"], "offer")),
    figuresOf("– until the answer is sent", markTimes(series["webrtc"], "answer")),
    figuresOf("– until connected", markTimes(series["webrtc"], "connected")),
    figuresOf("WebRTC, prepared, warm", times(series["prepared"])),
    figuresOf("`<video>` on /ipfs, warm", times(series["video"])),
    figuresOf("WebRTC, transcoded, first", [transcodedFirst.elapsedMs]),
    figuresOf("WebRTC, transcoded, warm", times(series["transcoded"])),
    figuresOf("WebRTC, passed through, first viewer of a process", times(passthroughCold)),
    figuresOf("WebRTC, transcoded, first viewer of a process", times(transcodedCold)),
  ];
  if (kindRuns > 0) all.push(...(await ofKinds(browser, dataDir, cids.kinds)));
  const p50 = (name: string): number => all.find(figures => figures.name === name)?.p50 ?? Number.NaN;
  const ratio = p50("WebRTC, passed through, warm") / p50("`<video>` on /ipfs, warm");
  console.log(
    `${cpus().length} × ${cpus()[0]?.model ?? "?"}, Node ${process.version}, Chromium ${browser.version()}`,
  );
  console.log(tableOf(all));
  console.log(`WebRTC / <video>, p50 of the same run: ${ratio.toFixed(2)}`);
  console.log(`goals: ${JSON.stringify(GOALS)}`);
  await mkdir(ARTIFACTS, { recursive: true });
  const raw = { figures: all, ratio, series, transcodedFirst, passthroughCold, transcodedCold };
  await writeFile(join(ARTIFACTS, "first-frame.json"), `${JSON.stringify(raw, undefined, 1)}\n`);
} finally {
  await browser.close();
  await rm(dataDir, { recursive: true, force: true });
}
