import type { Config } from "./schema.ts";
import { OPTIONS } from "./options.ts";
import { RELOADABLE } from "./reload.ts";

/** Every setting as rows of a Markdown table. */
export function configTable(): string {
  const rows = OPTIONS.map(option => {
    const value = option.defaultValue === undefined ? "–" : `\`${JSON.stringify(option.defaultValue)}\``;
    const choices =
      option.choices === undefined ? "" : ` One of ${option.choices.map(c => `\`${c}\``).join(", ")}.`;
    const live = RELOADABLE.has(option.path) ? " ↻" : "";
    return `| \`${option.path}\` | \`${option.flag}\` | \`${option.env}\` | ${value} | ${option.description}${choices}${live} |`;
  });
  return ["| setting | flag | environment | default | meaning |", "|---|---|---|---|---|", ...rows].join(
    "\n",
  );
}

/** The settings of a node with secrets taken out: for logs and support. */
export function redactConfig(config: Config): Readonly<Record<string, unknown>> {
  const entries = OPTIONS.map(option => {
    const value = option.path
      .split(".")
      .reduce<unknown>((place, part) => (isRecord(place) ? place[part] : undefined), config);
    return [option.path, option.secret && value !== undefined ? "[secret]" : value];
  });
  return Object.fromEntries(entries) as Record<string, unknown>;
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null;
}
