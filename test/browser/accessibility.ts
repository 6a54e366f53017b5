import axe, { type AxeResults } from "axe-core";
import type { Page } from "playwright-core";

/** What axe-core finds wrong with the page as it is now, one line per finding. */
export async function accessibilityFindings(page: Page): Promise<string[]> {
  await page.evaluate(axe.source);
  const { violations } = await page.evaluate<AxeResults>("axe.run()");
  return violations.flatMap(violation =>
    violation.nodes.map(node => `${violation.id}: ${node.target.join(" ")}: ${node.failureSummary}`),
  );
}
