import { readFile } from "node:fs/promises";
import { stripTypeScriptTypes } from "node:module";
import type { Page } from "playwright-core";

/** What `loopback()` of pages/loopback.ts resolves to. */
export interface LoopbackResult {
  readonly framesDecoded: number;
  readonly audioEnergy: number;
}

/** What the functions of pages/first-frame.ts resolve to. */
export interface FirstFrame {
  readonly elapsedMs: number;
  /** When the steps on the way were done, ms from the start. */
  readonly marks: Readonly<Record<string, number>>;
}

/**
 * Runs a script of test/browser/pages in the page, whatever its content security policy. Such a script imports types
 * only and leaves its functions on `globalThis`.
 */
export async function runInPage(page: Page, script: string): Promise<void> {
  const source = await readFile(new URL(`./pages/${script}`, import.meta.url), "utf8");
  await page.evaluate(`(() => { ${stripTypeScriptTypes(source)} })()`);
}
