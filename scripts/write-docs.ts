// Writes docs/CONFIGURATION.md, docs/LIMITS.md and docs/METRICS.md from the code, and counts the rows of docs/COMPATIBILITY.md. `--check` only tells whether they are current.
import { globSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { configTable } from "../src/config/index.ts";
import { type MetricInit, type Metrics, noMetrics } from "../src/core/index.ts";

const ROOT = dirname(dirname(fileURLToPath(import.meta.url)));
const SOURCES = ["src/**/*.ts", "protocols/**/*.ts", "packages/*/src/**/*.ts"];
/** Constants that bound something. */
const LIMIT_NAME =
  /^(?:MAX|MIN)_|_(?:MAX|LIMIT|TIMEOUT_MS|BUDGET_MS|GRACE_MS|TTL_SECONDS)(?:_|$)|_MAX_BYTES$/;

interface Found {
  readonly name: string;
  readonly value: string;
  readonly meaning: string;
  readonly file: string;
}

function sources(): { readonly file: string; readonly text: string }[] {
  return SOURCES.flatMap(pattern => globSync(pattern, { cwd: ROOT }))
    .filter(file => !/\.test\.ts$|\/testing\/|test-support/.test(file))
    .toSorted((a, b) => byText(a, b))
    .map(file => ({ file, text: readFileSync(join(ROOT, file), "utf8") }));
}

function limits(): Found[] {
  const declaration =
    /\/\*\*((?:(?!\*\/)[\s\S])*)\*\/\s*(?:export )?const ([A-Z][A-Z0-9_]+)(?:: [^=]+)? = ([^;]+);/g;
  return sources().flatMap(({ file, text }) =>
    [...text.matchAll(declaration)]
      .map(([, meaning = "", name = "", value = ""]) => ({
        name,
        value: oneLine(value),
        meaning: prose(meaning),
        file,
      }))
      .filter(
        ({ name, value }) => (LIMIT_NAME.test(name) || file.endsWith("limits.ts")) && !value.startsWith("{"),
      ),
  );
}

/** Lets each domain declare its metrics, and writes down what it declares. */
async function metrics(): Promise<Found[]> {
  const found: Found[] = [];
  for (const file of globSync("src/**/metrics.ts", { cwd: ROOT }).toSorted(byText)) {
    const note = ({ name, help, labelNames = [] }: MetricInit): void => {
      found.push({ name, meaning: cell(help), value: labelNames.join(", "), file });
    };
    const recording: Metrics = {
      ...noMetrics,
      counter: init => (note(init), noMetrics.counter(init)),
      gauge: init => (note(init), noMetrics.gauge(init)),
      histogram: init => (note(init), noMetrics.histogram(init)),
    };
    const module: unknown = await import(join(ROOT, file));
    for (const declare of Object.values(module ?? {})) {
      if (
        typeof declare === "function" &&
        /^[a-z]/.test(declare.name) &&
        !declare.name.startsWith("create")
      ) {
        declare(
          recording,
          () => 0,
          () => 0,
        );
      }
    }
  }
  return found;
}

function byText(a: string, b: string): number {
  return a < b ? -1 : 1;
}

function prose(comment: string): string {
  const text = comment.replaceAll(/^\s*\*? ?/gm, " ");
  return cell(oneLine(text.replace(/@see (\S+)/g, "See $1").replaceAll(/\{@link ([^}]+)\}/g, "`$1`")));
}

function oneLine(text: string): string {
  return text.replaceAll(/\s+/g, " ").trim();
}

function cell(text: string): string {
  return text.replaceAll("|", "\\|");
}

function domainOf(file: string): string {
  const [top = "", second = "", third = ""] = file.split("/");
  return top === "src"
    ? second
    : `${top}/${top === "protocols" ? second : third === "src" ? second : second}`;
}

function table(found: readonly Found[], heads: readonly [string, string]): string {
  const byDomain = Map.groupBy(found, entry => domainOf(entry.file));
  return [...byDomain]
    .map(([domain, entries]) =>
      [
        `## ${domain}`,
        `| ${heads.join(" | ")} | meaning |`,
        "|---|---|---|",
        ...entries.map(
          ({ name, value, meaning }) =>
            `| \`${name}\` | ${value === "" ? "" : `\`${cell(value)}\``} | ${meaning} |`,
        ),
      ].join("\n"),
    )
    .join("\n\n");
}

/** States a row of docs/COMPATIBILITY.md may have. */
const STATES = ["works", "partly", "not yet"] as const;

/** docs/COMPATIBILITY.md with the sums of its summary counted anew. */
function withTotals(text: string): string {
  const sums = new Map<string, number[]>();
  const all = STATES.map(() => 0);
  let part = "";
  for (const line of text.split("\n")) {
    if (line.startsWith("## ")) part = line.slice(3);
    const state = /^\| `[^|]*` \|.*\| (works|partly|not yet)[^|]*\|[^|]*\|$/.exec(line)?.[1];
    const at = STATES.findIndex(known => known === state);
    if (at < 0) continue;
    const row = sums.get(part) ?? STATES.map(() => 0);
    sums.set(part, row);
    row[at] = (row[at] ?? 0) + 1;
    all[at] = (all[at] ?? 0) + 1;
  }
  const rows = [...sums].map(([name, counts]) => `| ${name} | ${counts.join(" | ")} |`);
  const total = all.reduce((sum, count) => sum + count, 0);
  const summary = ["| part | `works` | `partly` | `not yet` |", "|---|---|---|---|", ...rows];
  summary.push(`| all ${total} | ${all.join(" | ")} |`);
  return text.replace(/(?<=^## Summary\n)(?:\|.*\n)+/m, `${summary.join("\n")}\n`);
}

const DOCUMENTS: Readonly<Record<string, () => string | Promise<string>>> = {
  "docs/CONFIGURATION.md": () => `# Configuration

A setting is looked for on the command line, then in the environment, then in a file \`.env\` of the working directory, then in \`cidcast.config.json\` there (or the file that \`--config\` or \`CIDCAST_CONFIG\` names), and has a default. Names that do not exist are refused, with a suggestion. In the environment and on the command line a list is written with commas between its parts.

\`FFMPEG_PATH\` is read as \`CIDCAST_MEDIA_FFMPEG_PATH\`, \`MCP_ENCRYPTION_KEY\` as \`CIDCAST_MCP_ENCRYPTION_KEY\`.

↻: a running node takes it over when it reads its settings again (\`SIGHUP\`, see OPERATIONS.md); all others need a restart.

${configTable()}

As a file:

\`\`\`json
{
  "port": 9000,
  "webrtc": { "udpPort": 9010 },
  "p2p": { "connect": ["/ip4/127.0.0.1/tcp/4001/p2p/12D3KooW…"] }
}
\`\`\`
`,
  "docs/LIMITS.md": () => `# Limits

Everything that somebody else can make large, many or slow has a limit. What is refused for one carries a code of \`protocols/errors.ts\`. Limits that have a setting are in CONFIGURATION.md too. Written from the code by \`scripts/write-docs.ts\`.

${table(limits(), ["limit", "value"])}
`,
  "docs/METRICS.md": async () => `# Metrics

\`GET /metrics\` answers in Prometheus' text format: the figures below, and those of the process and of Node.js (\`process_*\`, \`nodejs_*\`). Labels are bounded: never a CID, a peer or a session. Written from the code by \`scripts/write-docs.ts\`.

${table(await metrics(), ["metric", "labels"])}
`,
  "docs/COMPATIBILITY.md": () => withTotals(readFileSync(join(ROOT, "docs/COMPATIBILITY.md"), "utf8")),
};

let stale = false;
for (const [file, write] of Object.entries(DOCUMENTS)) {
  const [path, text] = [join(ROOT, file), await write()];
  let current = "";
  try {
    current = readFileSync(path, "utf8");
  } catch {
    // Not written yet.
  }
  if (current === text) continue;
  if (process.argv.includes("--check")) {
    console.error(`${file} is not what the code says: run node scripts/write-docs.ts`);
    stale = true;
  } else {
    writeFileSync(path, text);
  }
}
process.exitCode = stale ? 1 : 0;
