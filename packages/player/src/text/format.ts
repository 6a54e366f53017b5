const KILO = 1000;
const SECONDS_PER_MINUTE = 60;
const SECONDS_PER_HOUR = 3600;

/** `0:07`, `12:34`, `1:02:03`; a dash where there is no time. `hours` writes hours also when there are none. */
export function formatTime(seconds: number | undefined, hours = false): string {
  if (seconds === undefined || !Number.isFinite(seconds)) return "–:––";
  const whole = Math.max(0, Math.floor(seconds));
  const h = Math.floor(whole / SECONDS_PER_HOUR);
  const m = Math.floor((whole % SECONDS_PER_HOUR) / SECONDS_PER_MINUTE);
  const s = String(whole % SECONDS_PER_MINUTE).padStart(2, "0");
  return h > 0 || hours ? `${h}:${String(m).padStart(2, "0")}:${s}` : `${m}:${s}`;
}

/** Time for a screen reader: "1 minute 5 seconds". */
export function spokenTime(seconds: number | undefined): string {
  if (seconds === undefined || !Number.isFinite(seconds)) return "unknown";
  const whole = Math.max(0, Math.floor(seconds));
  const parts = [
    plural(Math.floor(whole / SECONDS_PER_HOUR), "hour"),
    plural(Math.floor((whole % SECONDS_PER_HOUR) / SECONDS_PER_MINUTE), "minute"),
    plural(whole % SECONDS_PER_MINUTE, "second"),
  ].filter(part => part !== "");
  return parts.join(" ") || "0 seconds";
}

function plural(count: number, unit: string): string {
  if (count === 0) return "";
  return `${count} ${unit}${count === 1 ? "" : "s"}`;
}

/** Decimal units, as disks and networks count: `2.4 MB`. */
export function formatBytes(bytes: number): string {
  return withUnit(bytes, ["B", "kB", "MB", "GB", "TB"]);
}

/** `850 kbit/s`, `2.5 Mbit/s`. */
export function formatBitrate(bitsPerSecond: number | undefined): string {
  if (bitsPerSecond === undefined || !Number.isFinite(bitsPerSecond)) return "–";
  return withUnit(bitsPerSecond, ["bit/s", "kbit/s", "Mbit/s", "Gbit/s"]);
}

function withUnit(value: number, units: readonly string[]): string {
  let left = Math.max(0, value);
  let unit = 0;
  while (left >= KILO && unit < units.length - 1) {
    left /= KILO;
    unit += 1;
  }
  const digits = unit > 0 && left < 10 ? 1 : 0;
  return `${left.toFixed(digits)} ${units[unit]}`;
}

/** `bafybei…w3wq`: the ends of a CID, for people to compare. */
export function shortCid(cid: string): string {
  return cid.length <= 20 ? cid : `${cid.slice(0, 10)}…${cid.slice(-6)}`;
}

/** Names of codecs as people write them; others are shown as they are. */
const CODEC_NAMES: Readonly<Record<string, string>> = {
  h264: "H.264",
  h265: "H.265",
  vp8: "VP8",
  vp9: "VP9",
  av1: "AV1",
  mpeg2: "MPEG-2",
  mpeg4: "MPEG-4",
  prores: "ProRes",
  opus: "Opus",
  aac: "AAC",
  mp3: "MP3",
  ac3: "AC-3",
  eac3: "E-AC-3",
  flac: "FLAC",
  vorbis: "Vorbis",
  alac: "ALAC",
  pcm: "PCM",
};

/** `H.264` for `h264`. */
export function codecName(codec: string): string {
  const key = codec.toLowerCase();
  return Object.hasOwn(CODEC_NAMES, key) ? (CODEC_NAMES[key] ?? codec) : codec;
}
