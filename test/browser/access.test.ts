import { fileURLToPath } from "node:url";
import { viewerKeyOf } from "@cidcast/protocols/playback";
import type { Browser, Page } from "playwright-core";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { launchChromium, openPage, type PageLog } from "./chromium.ts";
import { runInPage } from "./in-page.ts";
import { playerOf, withoutFileFallback } from "./player-handle.ts";
import { type RealNode, startRealNode } from "./real-node.ts";

/** As in web/src/shared/access.ts, which only a page can load. */
const MAX_TOKEN_CHARS = 2048;
const SAMPLE = fileURLToPath(new URL("../../samples/sample-720p.mp4", import.meta.url));
const TOKEN = "a+token-that/needs=escaping&care";

describe("the pages of a node that wants a token", () => {
  let browser: Browser;
  let real: RealNode;
  let page: Page;
  let log: PageLog;
  beforeAll(async () => {
    [browser, real] = await Promise.all([launchChromium(), startRealNode({ token: TOKEN })]);
  });
  afterAll(async () => {
    await browser?.close();
    await real?.[Symbol.asyncDispose]();
  });
  beforeEach(async () => {
    ({ page, log } = await openPage(browser));
    await withoutFileFallback(page);
  });
  afterEach(async () => {
    await page.close();
    if (log.errors.length > 0) throw new Error(`uncaught in the page: ${log.errors.join("; ")}`);
  });
  const query = `?token=${encodeURIComponent(TOKEN)}`;
  /** Everything of a page that a person, a script of another origin or a later visit could read. */
  const traces = (): Promise<string> =>
    page.evaluate("location.href + document.documentElement.outerHTML + JSON.stringify(localStorage)");
  const expectNoTrace = async (): Promise<void> => {
    const all = await traces();
    expect(all).not.toContain(TOKEN);
    expect(all).not.toContain("token=");
  };

  it("say in words that one is needed", async () => {
    await page.goto(`${real.url}/`);
    await page.getByText("A token is needed").waitFor();
    expect(await page.locator(".record").count()).toBe(0);
  });

  it("list, add and play with the one in the address, which nobody sees again", async () => {
    await page.goto(`${real.url}/${query}#top`);
    await page.locator(".record").first().waitFor();
    expect(page.url()).toBe(`${real.url}/#top`);
    await page.locator("#picker").setInputFiles(SAMPLE);
    await page.locator(".upload.done").waitFor();
    await expectNoTrace();
    await page.getByRole("link", { name: "Play sample-720p.mp4" }).click();
    await page.waitForURL(`${real.url}/play/*`);
    await playerOf(page).reaches("playing");
    await playerOf(page).advances({ frames: 15, samples: 12_000 });
    await expectNoTrace();
    await page.getByRole("heading", { name: "sample-720p.mp4" }).waitFor();
    await page.reload();
    await playerOf(page).reaches("playing");
    await expectNoTrace();
  });

  it("hand it to a page that a link opens in a tab of its own, and to a download", async () => {
    await page.goto(`${real.url}/${query}`);
    await page.locator(".record a").first().waitFor();
    // A tab that a link opens has a storage of its own.
    await page.evaluate("document.querySelector('.record a').target = '_blank'");
    const opened = page.context().waitForEvent("page");
    await page.locator(".record a").first().click();
    const second = await opened;
    await playerOf(second).reaches("playing");
    expect(second.url()).not.toContain("token");
    const [download] = await Promise.all([
      second.waitForEvent("download"),
      second.getByRole("link", { name: "Download" }).click(),
    ]);
    expect(await download.failure()).toBeNull();
    await second.close();
    await expectNoTrace();
  });

  it("play with a token for one viewer to the browser whose certificate it names, and to no other", async () => {
    await page.goto(`${real.url}/`);
    await runInPage(page, "viewer-key.ts");
    const mine: string = await page.evaluate("makeCertificate('mine')");
    await page.evaluate("makeCertificate('other')");
    const made = await fetch(`${real.url}/api/v0/playback-tokens`, {
      method: "POST",
      headers: { authorization: `Bearer ${TOKEN}`, "content-type": "application/json" },
      body: JSON.stringify({ cid: real.passthroughCid, viewerKey: viewerKeyOf(mine) }),
    });
    const { token } = (await made.json()) as { readonly token: string };
    const whep = `/whep/${real.passthroughCid}?token=${token}`;
    const watch = (name: string) =>
      page.evaluate(`watchWith(${JSON.stringify(name)}, ${JSON.stringify(whep)})`);
    expect(await watch("other")).toEqual({ status: 403, framesDecoded: 0 });
    expect(await watch("mine")).toEqual({ status: 201, framesDecoded: expect.any(Number) });
    // A link that somebody else has opens no bytes either.
    expect((await fetch(`${real.url}/ipfs/${real.passthroughCid}?token=${token}`)).status).toBe(403);
  });

  it("keep none that is longer than the limit", async () => {
    const kept = "sessionStorage.getItem('cidcast-token')?.length ?? 0";
    for (const [chars, expected] of [
      [MAX_TOKEN_CHARS + 1, 0],
      [MAX_TOKEN_CHARS, MAX_TOKEN_CHARS],
    ] as const) {
      await page.goto(`${real.url}/?token=${"x".repeat(chars)}`);
      await page.getByText("A token is needed").waitFor();
      expect(page.url()).toBe(`${real.url}/`);
      expect(await page.evaluate(kept)).toBe(expected);
    }
  });

  it("play what a playback token was made for, until it is revoked", async () => {
    const made = await fetch(`${real.url}/api/v0/playback-tokens`, {
      method: "POST",
      headers: { authorization: `Bearer ${TOKEN}`, "content-type": "application/json" },
      body: JSON.stringify({ cid: real.passthroughCid }),
    });
    const { id, path } = (await made.json()) as { id: string; path: string };
    const before = real.sessions();
    await page.goto(`${real.url}${path.replace(real.passthroughCid, real.transcodedCid)}`);
    await playerOf(page).reaches("error");
    await page.goto(`${real.url}${path}`);
    await playerOf(page).reaches("playing");
    await playerOf(page).advances({ frames: 15, samples: 12_000 });
    expect(real.sessions()).toBe(before + 1);
    await expectNoTrace();
    const headers = { authorization: `Bearer ${TOKEN}` };
    await fetch(`${real.url}/api/v0/playback-tokens/${id}`, { method: "DELETE", headers });
    expect(real.sessions()).toBe(before);
    // Trying again would not help: the player says what is wrong.
    await playerOf(page).reaches("error");
    expect(await playerOf(page).run("player.error.code")).toBe("UNAUTHENTICATED");
  });

  it("do not carry it to a new visit", async () => {
    await page.goto(`${real.url}/${query}`);
    await page.locator(".record").first().waitFor();
    const later = await page.context().newPage();
    await later.goto(`${real.url}/`);
    await later.getByText("A token is needed").waitFor();
    expect(await later.locator(".record").count()).toBe(0);
    await later.close();
  });
});
