import { type ContentRecordBody, mediaOf } from "@cidcast/client";

/** What the pages show of a record. */
export interface RecordView {
  readonly title: string;
  readonly kind: "video" | "sound" | "picture" | "folder" | "file";
  /** For instance `Video · MP4 · 1280 × 720`. */
  readonly type: string;
  /** Seconds; undefined where it has none or was not probed. */
  readonly durationSeconds: number | undefined;
  /** False only when a probe said so. */
  readonly playable: boolean;
}

const KIND_WORDS = {
  video: "Video",
  sound: "Sound",
  picture: "Picture",
  folder: "Folder",
  file: "File",
} as const;

export function describeRecord(record: ContentRecordBody): RecordView {
  const media = mediaOf(record);
  const kind = kindOf(record.contentType, media?.tracks.map(track => track.kind) ?? []);
  const parts: string[] = [KIND_WORDS[kind]];
  if (kind === "file") parts.push(record.contentType);
  else if (kind !== "folder") parts.push(formatName(record.contentType, media?.container));
  const video = media?.tracks.find(track => track.kind === "video");
  const { width, height } = { width: video?.["width"], height: video?.["height"] };
  if (typeof width === "number" && typeof height === "number") parts.push(`${width} × ${height}`);
  const durationSeconds = media && media.durationSeconds > 0 ? media.durationSeconds : undefined;
  return {
    title: record.name || record.cid,
    kind,
    type: parts.filter(part => part !== "").join(" · "),
    durationSeconds,
    playable: media ? media.playable : kind === "video" || kind === "sound",
  };
}

function kindOf(contentType: string, trackKinds: readonly string[]): RecordView["kind"] {
  if (contentType === "inode/directory") return "folder";
  if (trackKinds.includes("video")) return "video";
  if (trackKinds.includes("audio")) return "sound";
  const [major] = contentType.split("/");
  if (major === "video") return "video";
  if (major === "audio") return "sound";
  return major === "image" ? "picture" : "file";
}

function formatName(contentType: string, container: string | undefined): string {
  const subtype = container ?? contentType.split("/")[1] ?? "";
  if (subtype === "octet-stream") return "";
  return subtype.replace(/^x-/, "").replace(/;.*$/, "").toUpperCase();
}
