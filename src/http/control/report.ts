import { mkdir, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { CidcastError } from "../../core/index.ts";
import { escapeHtml } from "../gateway/directory.ts";
import { MAX_BENCHMARK_REPORTS } from "../limits.ts";
import type { BenchmarkSample, BenchmarkSummary } from "./benchmark.ts";

export type ReportFormat = "json" | "html" | "csv";

/** Types that reports are sent as. */
export const REPORT_TYPES: Readonly<Record<ReportFormat, string>> = {
  json: "application/json; charset=utf-8",
  html: "text/html; charset=utf-8",
  csv: "text/csv; charset=utf-8",
};

/** What was measured each second, as columns of a table. */
const COLUMNS = [
  "bytes_sent",
  "pictures_sent",
  "rtt",
  "jitter",
  "packet_loss",
  "bandwidth_estimate",
] as const;

export interface Report {
  readonly id: string;
  readonly summary: BenchmarkSummary;
  readonly samples: readonly BenchmarkSample[];
}

/** A report as a file. */
export function renderReport(report: Report, format: ReportFormat): string {
  if (format === "csv") return csv(rows(report));
  if (format === "html") return html(report);
  const { id, summary, samples } = report;
  return `${JSON.stringify({ benchmark_id: id, summary, samples }, null, 2)}\n`;
}

/** Keeps a report in the folder, in place of the oldest where there are too many; gives back where it is. */
export async function keepReport(directory: string, report: Report, format: ReportFormat): Promise<string> {
  await mkdir(directory, { recursive: true, mode: 0o700 });
  const path = join(directory, `${report.id}.${format}`);
  await writeFile(path, renderReport(report, format), { mode: 0o600 });
  const names = await readdir(directory);
  const aged = await Promise.all(
    names.map(async name => ({ name, ms: (await stat(join(directory, name))).mtimeMs })),
  );
  aged.sort((a, b) => b.ms - a.ms || (a.name === `${report.id}.${format}` ? -1 : 1));
  for (const { name } of aged.slice(MAX_BENCHMARK_REPORTS)) await rm(join(directory, name), { force: true });
  return path;
}

/** A report that was kept. `JOB_NOT_FOUND` when there is none, or not any more. */
export async function readReport(
  directory: string,
  id: string,
): Promise<{ readonly format: ReportFormat; readonly text: string }> {
  for (const format of ["json", "html", "csv"] as const) {
    try {
      return { format, text: await readFile(join(directory, `${id}.${format}`), "utf8") };
    } catch {
      // Kept as another kind, or not at all.
    }
  }
  throw new CidcastError("JOB_NOT_FOUND", `There is no report of a benchmark ${id}`);
}

function rows({ samples }: Report): string[][] {
  const start = samples[0]?.atMs ?? 0;
  const lines = samples.map(({ atMs, stats }) => [
    ((atMs - start) / 1000).toFixed(1),
    ...COLUMNS.map(name => cell(stats[name])),
  ]);
  return [["seconds", ...COLUMNS], ...lines];
}

function cell(value: unknown): string {
  if (typeof value === "string") return value;
  return value === null || value === undefined ? "" : JSON.stringify(value);
}

/** @see https://www.rfc-editor.org/rfc/rfc4180 */
function csv(lines: readonly (readonly string[])[]): string {
  const quoted = (text: string): string => (/[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text);
  return lines.map(line => `${line.map(quoted).join(",")}\r\n`).join("");
}

function html(report: Report): string {
  const [head = [], ...body] = rows(report);
  const table = (lines: readonly (readonly string[])[], tag: "td" | "th"): string =>
    lines
      .map(line => `<tr>${line.map(text => `<${tag}>${escapeHtml(text)}</${tag}>`).join("")}</tr>`)
      .join("\n");
  const facts = Object.entries(report.summary)
    .map(
      ([name, value]) =>
        `<tr><th scope="row">${escapeHtml(name)}</th><td>${escapeHtml(cell(value))}</td></tr>`,
    )
    .join("\n");
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>Benchmark ${escapeHtml(report.id)}</title>
<style>body{font:15px/1.5 system-ui,sans-serif;margin:2rem;max-width:70rem}table{border-collapse:collapse;margin:1rem 0}td,th{border:1px solid #8888;padding:.2rem .6rem;text-align:left;font-variant-numeric:tabular-nums}</style></head>
<body><h1>Benchmark ${escapeHtml(report.id)}</h1>
<table><caption>Summary</caption><tbody>${facts}</tbody></table>
<table><caption>Each second</caption><thead>${table([head], "th")}</thead><tbody>${table(body, "td")}</tbody></table>
</body></html>
`;
}
