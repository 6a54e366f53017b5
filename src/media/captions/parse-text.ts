import { createHash } from "node:crypto";
import { CidcastError } from "../../core/index.ts";
import { CAPTIONS_MAX_CUES } from "../limits.ts";
import type { Cue } from "./types.ts";

/** `00:01:02.500 --> 00:01:04.000`, hours optional, SRT's comma too. */
const TIMING = /^\s*((?:\d+:)?\d{1,2}:\d{2}[.,]\d{1,3})\s*-->\s*((?:\d+:)?\d{1,2}:\d{2}[.,]\d{1,3})/;
const TAGS = /<[^>]{0,200}>/g;
const ENTITIES: Readonly<Record<string, string>> = {
  "&amp;": "&",
  "&lt;": "<",
  "&gt;": ">",
  "&nbsp;": "\u00a0",
  "&lrm;": "\u200e",
  "&rlm;": "\u200f",
};

/** Cues of a WebVTT or SRT file, in order of time. What is no cue is passed over. `CORRUPT_MEDIA` when there is none. */
export function parseCaptions(bytes: Uint8Array, cid: string): { format: "webvtt" | "srt"; cues: Cue[] } {
  const text = new TextDecoder().decode(bytes);
  const format = /^\uFEFF?WEBVTT(?:\s|$)/.test(text) ? "webvtt" : "srt";
  const cues: Cue[] = [];
  for (const block of blocksOf(bytes)) {
    const lines = block.text.split(/\r\n|\r|\n/);
    const at = lines.findIndex(line => TIMING.test(line));
    const timing = TIMING.exec(lines[at] ?? "");
    if (at < 0 || at > 1 || timing === null) continue;
    const cue = cueOf(bytes, {
      ...block,
      start: timing[1] ?? "",
      end: timing[2] ?? "",
      lines: lines.slice(at + 1),
    });
    if (cue !== undefined) cues.push(cue);
    if (cues.length > CAPTIONS_MAX_CUES) {
      throw new CidcastError("LIMIT_REACHED", `${cid} has more than ${CAPTIONS_MAX_CUES} captions`);
    }
  }
  if (cues.length === 0) {
    throw new CidcastError("CORRUPT_MEDIA", `${cid} holds no captions in WebVTT or SRT`);
  }
  return { format, cues: cues.sort((a, b) => a.startSeconds - b.startSeconds) };
}

/** The cue as people read it: without tags and with entities written out. */
export function plainText(text: string): string {
  return text
    .replace(TAGS, "")
    .replace(/\{\\[^}]{0,200}\}/g, "")
    .replace(/&(?:amp|lt|gt|nbsp|lrm|rlm);/g, entity => ENTITIES[entity] ?? entity)
    .trim();
}

/** A cue whose bytes are those of a range. */
export function cueFrom(
  bytes: Uint8Array,
  cue: Pick<Cue, "startSeconds" | "endSeconds" | "text"> & { readonly from: number },
): Cue {
  const sha256 = createHash("sha256").update(bytes).digest("hex");
  return { ...cue, to: cue.from + bytes.length, sha256 };
}

/** Cues as a WebVTT file. */
export function writeWebVtt(cues: readonly Pick<Cue, "startSeconds" | "endSeconds" | "text">[]): string {
  const escaped = (text: string): string =>
    text
      .replaceAll("&", "&amp;")
      .replaceAll("<", "&lt;")
      .replaceAll(">", "&gt;")
      .replace(/\n{2,}/g, "\n");
  const blocks = cues.map(
    cue => `${timeText(cue.startSeconds)} --> ${timeText(cue.endSeconds)}\n${escaped(cue.text)}\n`,
  );
  return ["WEBVTT\n", ...blocks].join("\n");
}

function timeText(seconds: number): string {
  const ms = Math.round(seconds * 1000);
  const two = (value: number): string => String(Math.floor(value)).padStart(2, "0");
  const hours = two(ms / 3_600_000);
  return `${hours}:${two((ms / 60_000) % 60)}:${two((ms / 1000) % 60)}.${String(ms % 1000).padStart(3, "0")}`;
}

interface Block {
  readonly from: number;
  readonly to: number;
  readonly text: string;
}

/** Runs of lines between empty ones. */
function* blocksOf(bytes: Uint8Array): Generator<Block> {
  const decoder = new TextDecoder();
  let from = -1;
  let end = 0;
  for (let at = 0; at <= bytes.length; ) {
    let stop = at;
    while (stop < bytes.length && bytes[stop] !== LF && bytes[stop] !== CR) stop++;
    const blank = isBlank(bytes, at, stop);
    if (!blank && from < 0) from = at;
    if (!blank) end = stop;
    const over = stop >= bytes.length;
    if ((blank || over) && from >= 0) {
      yield { from, to: end, text: decoder.decode(bytes.subarray(from, end)) };
      from = -1;
    }
    if (over) return;
    at = stop + (bytes[stop] === CR && bytes[stop + 1] === LF ? 2 : 1);
  }
}

const LF = 10;
const CR = 13;

function isBlank(bytes: Uint8Array, from: number, to: number): boolean {
  for (let at = from; at < to; at++) if (bytes[at] !== 32 && bytes[at] !== 9) return false;
  return true;
}

function cueOf(
  bytes: Uint8Array,
  block: Block & { readonly start: string; readonly end: string; readonly lines: readonly string[] },
): Cue | undefined {
  const [startSeconds, endSeconds] = [secondsOf(block.start), secondsOf(block.end)];
  const text = plainText(block.lines.join("\n"));
  if (endSeconds <= startSeconds || text === "") return undefined;
  return cueFrom(bytes.subarray(block.from, block.to), { startSeconds, endSeconds, text, from: block.from });
}

function secondsOf(text: string): number {
  const parts = text.replace(",", ".").split(":").map(Number);
  return parts.reduce((sum, part) => sum * 60 + part, 0);
}
