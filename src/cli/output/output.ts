import { once } from "node:events";
import type { CidcastError } from "../../core/index.ts";
import type { CliEnvironment } from "../environment.ts";

/** Where a command's result goes. */
export interface Output {
  readonly json: boolean;
  /** One result: `value` as a line of JSON, or `text` for people. */
  result(value: unknown, text: string): void;
  /** Something worth knowing that is not the result; silent with `--json`. */
  note(text: string): void;
}

export function createOutput({ stdout, stderr }: CliEnvironment, json: boolean): Output {
  return {
    json,
    result: (value, text) => {
      const line = json ? JSON.stringify(value) : text;
      if (line !== "") stdout.write(`${line}\n`);
    },
    note: text => {
      if (!json) stderr.write(`${text}\n`);
    },
  };
}

/** One line about what went wrong, with its code. */
export function errorLine(error: Pick<CidcastError, "code" | "message" | "details">, json: boolean): string {
  const { code, message, details } = error;
  if (json) return JSON.stringify({ error: { code, message, ...(details !== undefined && { details }) } });
  return `cidcast: ${printable(message).replaceAll(/\s*\n\s*/g, " ")} [${code}]`;
}

/** Text of others as it may stand on a terminal: without control characters, which could rewrite the screen. */
export function printable(text: string): string {
  return text.replaceAll(/[^\P{Cc}\n]/gu, "\u{fffd}");
}

/** Writes bytes as fast as the reader takes them; false when the reader is gone (`| head`). */
export async function writeBytes(stream: NodeJS.WritableStream, bytes: Uint8Array): Promise<boolean> {
  if (!stream.writable) return false;
  if (stream.write(bytes)) return true;
  await Promise.race([once(stream, "drain"), once(stream, "close")]);
  return stream.writable;
}

/** Rows in columns; the last column is not padded. */
export function table(rows: readonly (readonly string[])[]): string {
  const clean = rows.map(row => row.map(cell => printable(cell).replaceAll("\n", " ")));
  const widths: number[] = [];
  for (const row of clean) {
    for (const [i, cell] of row.entries()) widths[i] = Math.max(widths[i] ?? 0, cell.length);
  }
  return clean
    .map(row =>
      row
        .map((cell, i) => (i === row.length - 1 ? cell : cell.padEnd(widths[i] ?? 0)))
        .join("  ")
        .trimEnd(),
    )
    .join("\n");
}

/** Bytes for people: `12.3 MiB`. */
export function formatBytes(bytes: number): string {
  const units = ["B", "KiB", "MiB", "GiB", "TiB"];
  let value = bytes;
  let unit = 0;
  while (value >= 1024 && unit < units.length - 1) {
    value /= 1024;
    unit += 1;
  }
  return `${unit === 0 ? value : value.toFixed(1)} ${units[unit] ?? ""}`;
}
