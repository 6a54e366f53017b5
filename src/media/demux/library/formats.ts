/** A container that FFmpeg's demuxer reads. */
export interface LibraryFormat {
  /** FFmpeg's name of it. */
  readonly name: string;
  /** As people call it. */
  readonly label: string;
  /** Read by FFmpeg's demuxer alone, or better: it finds a place in a few reads where the other one looks at everything. */
  readonly first: boolean;
  /** It has no index: a place is found by looking, and a keyframe by reading on. */
  readonly searched: boolean;
}

/** Bytes at the start of a file that tell its container. */
export const SIGNATURE_BYTES = 4096;

interface Signature extends Omit<LibraryFormat, "searched"> {
  readonly searched?: true;
  readonly matches: (head: Uint8Array) => boolean;
}

/** True where `text` (Latin-1) stands at `offset`. */
function has(head: Uint8Array, text: string, offset = 0): boolean {
  for (let i = 0; i < text.length; i++) if (head[offset + i] !== text.charCodeAt(i)) return false;
  return true;
}

/** Sync bytes at the distance of transport stream packets, from an offset on, as often as the head shows them. */
function isTransportStream(head: Uint8Array): boolean {
  for (const [offset, distance] of [
    [0, 188],
    [4, 192],
  ] as const) {
    if (head.length < offset + 2 * distance) continue;
    let at = offset;
    while (at < head.length && head[at] === 0x47) at += distance;
    if (at >= head.length) return true;
  }
  return false;
}

const SIGNATURES: readonly Signature[] = [
  { name: "mpegts", label: "MPEG Transport Stream", first: true, searched: true, matches: isTransportStream },
  {
    name: "mpeg",
    label: "MPEG Program Stream",
    first: true,
    searched: true,
    matches: starts("\0\0\x01\xba"),
  },
  { name: "mpegvideo", label: "MPEG video", first: true, searched: true, matches: starts("\0\0\x01\xb3") },
  { name: "avi", label: "AVI", first: true, matches: head => has(head, "RIFF") && has(head, "AVI ", 8) },
  { name: "flv", label: "Flash Video", first: true, matches: starts("FLV\x01") },
  { name: "asf", label: "ASF", first: true, matches: starts("\x30\x26\xb2\x75\x8e\x66\xcf\x11") },
  { name: "mxf", label: "MXF", first: true, matches: starts("\x06\x0e\x2b\x34\x02\x05\x01\x01\x0d\x01\x02") },
  { name: "dv", label: "DV", first: true, matches: starts("\x1f\x07\x00") },
  { name: "aiff", label: "AIFF", first: true, matches: head => has(head, "FORM") && has(head, "AIF", 8) },
  { name: "caf", label: "Core Audio Format", first: true, matches: starts("caff") },
  { name: "amr", label: "AMR", first: true, matches: starts("#!AMR") },
  { name: "au", label: "Sun audio", first: true, matches: starts(".snd") },
  { name: "wv", label: "WavPack", first: true, matches: starts("wvpk") },
  { name: "ivf", label: "IVF", first: true, matches: starts("DKIF") },
  { name: "ac3", label: "AC-3", first: true, matches: starts("\x0b\x77") },
  { name: "mov", label: "QuickTime File Format", first: false, matches: isBoxes },
  { name: "matroska", label: "Matroska", first: false, matches: starts("\x1aE\xdf\xa3") },
  // The other demuxer finds the sound of an Ogg alone.
  { name: "ogg", label: "Ogg", first: true, matches: isOggFilm },
  { name: "ogg", label: "Ogg", first: false, matches: starts("OggS") },
  { name: "wav", label: "WAVE", first: false, matches: head => has(head, "RIFF") && has(head, "WAVE", 8) },
];

function starts(text: string): (head: Uint8Array) => boolean {
  return head => has(head, text);
}

/** An Ogg with pictures: each of its streams names its codec in one of the first pages. */
function isOggFilm(head: Uint8Array): boolean {
  return has(head, "OggS") && Buffer.from(head).includes("\x80theora", 0, "latin1");
}

function isBoxes(head: Uint8Array): boolean {
  return ["ftyp", "moov", "mdat", "wide", "free", "skip"].some(type => has(head, type, 4));
}

/** The container of a file that begins with `head`, where FFmpeg's demuxer may read it. Formats that name other files are left out. */
export function libraryFormatOf(head: Uint8Array): LibraryFormat | undefined {
  const found = SIGNATURES.find(({ matches }) => matches(head));
  if (found === undefined) return undefined;
  const { name, label, first, searched = false } = found;
  return { name, label, first, searched };
}
