import { randomBytes } from "node:crypto";
import { readFile } from "node:fs/promises";
import { Readable } from "node:stream";
import type { Browser, BrowserContextOptions, Page } from "playwright-core";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { serveNode } from "../contract/node/serve-node.ts";
import { accessibilityFindings } from "./accessibility.ts";
import { screenshot } from "./artifacts.ts";
import { launchChromium, openPage, type PageLog } from "./chromium.ts";
import { playerOf } from "./player-handle.ts";
import { type RealNode, startRealNode } from "./real-node.ts";

const DESKTOP: BrowserContextOptions = { viewport: { width: 1280, height: 900 } };
const PHONE: BrowserContextOptions = {
  viewport: { width: 390, height: 844 },
  deviceScaleFactor: 2,
  isMobile: true,
  hasTouch: true,
};
const P2P = { enabled: true, listen: ["/ip4/127.0.0.1/tcp/0"] };
const NOBODYS = "bafkreigh2akiscaildcqabsyg3dfr6chu3fgpregiymsck7e7aqa4s52zy";
const TOKEN = "the-token-of-this-test-node";

describe("the console", () => {
  let browser: Browser;
  let real: RealNode;
  let adminKey: string;
  let opened: { page: Page; log: PageLog }[] = [];
  beforeAll(async () => {
    [browser, real] = await Promise.all([launchChromium(), startRealNode({ token: TOKEN, p2p: P2P })]);
    adminKey = (await readFile(real.node.adminKeyFile, "utf8")).trim();
  });
  afterAll(async () => {
    await browser?.close();
    await real?.[Symbol.asyncDispose]();
  });
  afterEach(async () => {
    const errors = opened.flatMap(({ log }) => log.errors);
    for (const { page } of opened) await page.close();
    opened = [];
    if (errors.length > 0) throw new Error(`uncaught in the page: ${errors.join("; ")}`);
  });
  const open = async (options: BrowserContextOptions = DESKTOP): Promise<Page> => {
    const made = await openPage(browser, options);
    opened.push(made);
    return made.page;
  };
  const signIn = async (page: Page): Promise<void> => {
    await page.goto(`${real.url}/console`);
    await page.getByLabel("Admin key").fill(adminKey);
    await page.getByRole("button", { name: "Sign in" }).click();
    await page.getByRole("heading", { name: "Health" }).waitFor();
  };
  const row = (page: Page, text: string) => page.getByRole("row").filter({ hasText: text });

  it("asks for the admin key, and takes no other", async () => {
    const page = await open();
    await page.goto(`${real.url}/console`);
    await page.getByLabel("Admin key").fill("not the key");
    await page.getByRole("button", { name: "Sign in" }).click();
    await page.getByRole("alert").filter({ hasText: "Invalid admin key" }).waitFor();
    expect(await accessibilityFindings(page)).toEqual([]);
    await screenshot(page, "console-sign-in");
    await signIn(page);
    await page.reload();
    await page.getByRole("heading", { name: "Health" }).waitFor();
    expect(await page.content()).not.toContain(adminKey);
    await page.getByRole("button", { name: "Sign out" }).click();
    await page.getByLabel("Admin key").waitFor();
    await page.reload();
    await page.getByLabel("Admin key").waitFor();
    expect(await page.evaluate("JSON.stringify([sessionStorage, localStorage])")).not.toContain(adminKey);
  });

  it("shows a viewer while it watches, and what happens", async () => {
    const page = await open();
    await signIn(page);
    await page.getByText("0 viewers").waitFor();
    const viewer = await open();
    await viewer.goto(`${real.url}/play/${real.passthroughCid}?token=${TOKEN}`);
    await playerOf(viewer).reaches("playing");
    await page.bringToFront();
    await page.getByText("1 viewer", { exact: true }).waitFor();
    await row(page, "1280×720").filter({ hasText: "of 100" }).first().waitFor();
    await page.getByRole("log").getByText("webrtc_connected").waitFor();
    expect(await row(page, "1280×720").innerText()).toContain("sent as it is");
    await screenshot(page, "console-viewers");
    await viewer.close();
    await page.getByText("0 viewers").waitFor();
  });

  it("shows transfers, jobs, and peers with what is known of them", async () => {
    await using other = await serveNode({ p2p: P2P });
    const { cid } = await other.node.content.add(Readable.from([randomBytes(700_000)]));
    const page = await open();
    await signIn(page);
    await page.getByText("No transfers").waitFor();
    await page.getByText("No jobs").waitFor();
    const { node } = real;
    const moved = await node.transfers.begin({ cid, from: [String(other.node.peer?.multiaddrs[0])] });
    await node.transfers.finished(moved.id);
    const gone = await node.transfers.begin({ cid: NOBODYS, from: ["http://127.0.0.1:9"] });
    await node.transfers.finished(gone.id);
    const job = await node.prepare.submit(real.passthroughCid, { presets: ["very_low"] });
    await node.prepare.cancel(job.id);
    await page.bringToFront();
    const done = row(page, "completed").filter({ hasText: cid.slice(0, 12) });
    await done.waitFor();
    expect(await done.innerText()).toMatch(/\d+ kB|KiB|KB/i);
    await row(page, "failed")
      .filter({ hasText: NOBODYS.slice(0, 12) })
      .waitFor();
    await row(page, "cancelled")
      .filter({ hasText: real.passthroughCid.slice(0, 12) })
      .waitFor();
    const peer = row(page, String(other.node.peer?.id).slice(0, 12));
    await peer.filter({ hasText: "outbound" }).filter({ hasText: "700 kB" }).waitFor();
    await page.getByRole("log").getByText("transfer_completed").first().waitFor();
    expect(await accessibilityFindings(page)).toEqual([]);
    await screenshot(page, "console-work", { fullPage: true });
  });

  it("makes tenants, tokens and credentials, shows what they did, and ends them", async () => {
    const page = await open();
    page.on("dialog", dialog => void dialog.accept());
    await signIn(page);
    await page.getByLabel("Name").fill("<b>Acme</b> & Söhne");
    await page.getByRole("button", { name: "Create tenant" }).click();
    await row(page, "<b>Acme</b> & Söhne").filter({ hasText: "active" }).first().waitFor();
    await page.getByLabel("basic", { exact: true }).check();
    await page.getByRole("button", { name: "Create token" }).click();
    const token = await page.locator(".new-token").innerText();
    expect(token).toMatch(/^cct_[\w-]{43}$/);
    const shown = `${token.slice(0, 8)}...`;
    await row(page, shown).filter({ hasText: "basic" }).waitFor();

    const call = await fetch(`${real.url}/mcp/tools/call`, {
      method: "POST",
      headers: { authorization: `Bearer ${token}`, "content-type": "application/json" },
      body: JSON.stringify({ name: "echo", arguments: { message: "hi" } }),
    });
    expect(call.status).toBe(200);

    await page.getByLabel("Tool", { exact: true }).fill("web_request");
    await page.getByLabel("Key", { exact: true }).fill("api@example.org");
    await page.getByLabel("Value").fill("a-secret-value");
    await page.getByRole("button", { name: "Store credential" }).click();
    await row(page, "api@example.org").waitFor();
    await page.getByRole("region", { name: "Tool calls, table" }).getByText("echo").waitFor();
    await page.getByText("1 tool call, 0 failed").waitFor();
    const last = page.getByRole("region", { name: "Last calls, table" });
    await last.getByText("<b>Acme</b> & Söhne").waitFor();
    await page.getByLabel("Time", { exact: true }).selectOption("last 30 days");
    await page.getByRole("img", { name: "Tool calls over time: 1 tool call, 0 failed" }).waitFor();
    expect(await page.content()).not.toContain("a-secret-value");
    await screenshot(page, "console-tenant");

    await page.getByRole("button", { name: "Remove web_request api@example.org" }).click();
    await page.getByText("No credentials").waitFor();
    await page.getByRole("button", { name: `Revoke token ${shown}` }).click();
    await row(page, shown).filter({ hasText: "off" }).waitFor();
    const after = await fetch(`${real.url}/api/mcp/tools/`, {
      headers: { authorization: `Bearer ${token}` },
    });
    expect(after.status).toBe(401);
    await page.getByRole("button", { name: "Switch off <b>Acme</b> & Söhne" }).click();
    await row(page, "<b>Acme</b> & Söhne").filter({ hasText: "off" }).waitFor();
  });

  it.each([
    ["desktop", "light", DESKTOP],
    ["desktop", "dark", DESKTOP],
    ["phone", "light", PHONE],
    ["phone", "dark", PHONE],
  ] as const)("is accessible on a %s in %s", async (size, colorScheme, options) => {
    const { tenancy } = real.node;
    const { id: tenantId } = await tenancy!.tenants.create({ name: `${size} ${colorScheme}` });
    await tenancy!.tokens.create({ tenantId, scopes: ["media", "content:read"], expiresInDays: 30 });
    const page = await open({ ...options, colorScheme });
    await signIn(page);
    await row(page, `${size} ${colorScheme}`).first().waitFor();
    await page.getByText("content:read").first().waitFor();
    expect(await accessibilityFindings(page)).toEqual([]);
    const wider = await page.evaluate("document.documentElement.scrollWidth > innerWidth");
    expect(wider).toBe(false);
    await screenshot(page, `console-${size}-${colorScheme}`, { fullPage: true });
  });

  it("says that the node does not answer, and goes on when it does", async () => {
    const page = await open();
    await signIn(page);
    await page.route("**/api/admin/**", route => route.abort());
    await page.getByRole("alert").filter({ hasText: "does not answer" }).waitFor();
    await page.unroute("**/api/admin/**");
    await page.getByRole("alert").waitFor({ state: "hidden" });
    expect(await page.getByRole("heading", { name: "Health" }).isVisible()).toBe(true);
  });
});
