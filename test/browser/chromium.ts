import { type Browser, type BrowserContextOptions, chromium, type Page } from "playwright-core";
import { chromiumFiles } from "./launcher/chromium-files.ts";

/**
 * Flags of the test browser: no sandbox (it needs a kernel feature that containers lack, and root), no GPU, sound and
 * picture start without a click, and nothing of the browser's own calls home.
 */
const FLAGS = [
  "--no-sandbox",
  "--disable-setuid-sandbox",
  "--disable-gpu",
  "--autoplay-policy=no-user-gesture-required",
  "--no-first-run",
  "--no-default-browser-check",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-domain-reliability",
  "--disable-sync",
  "--disable-quic",
  "--no-pings",
  "--font-render-hinting=none",
];

/** Longest start of the browser, ms. */
const LAUNCH_TIMEOUT_MS = 60_000;

export interface LaunchOptions {
  /** More flags; one of the form `--x=y` stands beside the default ones. */
  readonly args?: readonly string[];
  /** Default flags to leave out, exactly as written above. */
  readonly without?: readonly string[];
}

/**
 * Starts a headless Chromium (with H.264, VP8, VP9, AV1 and Opus) from the npm package, whatever the machine has
 * installed, as root or not. The caller closes it.
 */
export async function launchChromium(options: LaunchOptions = {}): Promise<Browser> {
  const files = await chromiumFiles();
  const inherited = process.env["LD_LIBRARY_PATH"];
  return chromium.launch({
    executablePath: files.executable,
    headless: true,
    timeout: LAUNCH_TIMEOUT_MS,
    args: [...FLAGS.filter(flag => !options.without?.includes(flag)), ...(options.args ?? [])],
    env: {
      ...environment(),
      // The package's libraries even where the system has some: the same browser on every machine.
      LD_LIBRARY_PATH: inherited ? `${files.libraries}:${inherited}` : files.libraries,
      FONTCONFIG_PATH: files.fonts,
    },
  });
}

/** What a page said while it was open: a test that ends with entries here has met an error that nobody handled. */
export interface PageLog {
  /** Uncaught exceptions and unhandled rejections. */
  readonly errors: string[];
  /** Console lines, `type: text`. */
  readonly console: string[];
  /** Addresses asked for that are not on the loopback interface. */
  readonly foreignRequests: string[];
}

/** A page in a fresh profile, with a log of what went wrong in it. Closing the page closes its profile. */
export async function openPage(
  browser: Browser,
  options: BrowserContextOptions = {},
): Promise<{ page: Page; log: PageLog }> {
  const context = await browser.newContext(options);
  const page = await context.newPage();
  const log: PageLog = { errors: [], console: [], foreignRequests: [] };
  page.on("pageerror", error => log.errors.push(String(error)));
  page.on("console", message => log.console.push(`${message.type()}: ${message.text()}`));
  page.on("request", request => {
    const { protocol, hostname } = new URL(request.url());
    const local = hostname === "127.0.0.1" || hostname === "localhost" || hostname === "[::1]";
    if (protocol.startsWith("http") && !local) log.foreignRequests.push(request.url());
  });
  page.on("close", () => void context.close().catch(() => undefined));
  return { page, log };
}

function environment(): Record<string, string> {
  const entries = Object.entries(process.env).filter(
    (entry): entry is [string, string] => entry[1] !== undefined,
  );
  return Object.fromEntries(entries);
}
