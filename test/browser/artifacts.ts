import { fileURLToPath } from "node:url";
import type { Page } from "playwright-core";

/** Saves a picture of the page as artifacts/browser/<name>.png, for people to look at. */
export async function screenshot(
  page: Page,
  name: string,
  options: { readonly fullPage?: boolean } = {},
): Promise<void> {
  const path = fileURLToPath(new URL(`../../artifacts/browser/${name}.png`, import.meta.url));
  await page.screenshot({ path, ...options });
}
