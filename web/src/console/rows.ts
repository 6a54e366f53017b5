import { el, formatBytes, formatTime } from "@cidcast/player";
import { type Json, listOf, numberOf, objectOf, textOf } from "./admin-api.ts";
import { bitrate, type Row, short, when } from "./parts.ts";

export const VIEWER_HEADS = [
  "Viewer",
  "Content",
  "State",
  "At",
  "Picture",
  "Bitrate",
  "Link",
  "Score",
  "Why",
];

export function viewerRow(viewer: Json): Row {
  const settings = objectOf(viewer["quality_settings"]);
  const height = numberOf(settings["height"]);
  const rate = numberOf(settings["framerate"]);
  const why = Array.isArray(viewer["why"]) ? viewer["why"].map(textOf).join("; ") : "";
  const loss = numberOf(viewer["packet_loss"]).toFixed(1);
  return [
    short(textOf(viewer["id"])),
    short(textOf(viewer["cid"])),
    textOf(viewer["playback_state"]) || textOf(viewer["state"]),
    `${formatTime(numberOf(viewer["current_time"]))} of ${formatTime(numberOf(viewer["duration"]))}`,
    height === 0 ? "sound only" : `${numberOf(settings["width"])}×${height}, ${Math.round(rate)} fps`,
    bitrate(numberOf(settings["bitrate"])),
    `${Math.round(numberOf(viewer["rtt"]))} ms, ${loss} % lost`,
    `${Math.round(numberOf(viewer["connection_quality_score"]))} of 100`,
    why,
  ];
}

export const PEER_HEADS = [
  "Peer",
  "Connection",
  "Score",
  "Success",
  "Latency",
  "Speed",
  "Verified",
  "Bad blocks",
  "Seen",
];

/** Connected peers first, then others that are known, the best first. */
export function peerRows(overview: Json): Row[] {
  const known = new Map(listOf(overview["known_peers"]).map(peer => [textOf(peer["peer_id"]), peer]));
  const connected = new Map(listOf(overview["peers"]).map(peer => [textOf(peer["peer_id"]), peer]));
  return [...new Set([...connected.keys(), ...known.keys()])].map(id => {
    const connection = connected.get(id);
    const facts = known.get(id);
    const way =
      connection === undefined
        ? "none"
        : `${textOf(connection["direction"])} ${textOf(connection["address"]).replace(/\/p2p\/.*$/, "")}`;
    if (facts === undefined)
      return [short(id), way, "0.50", "–", "–", "–", "0 B", "0", when(connection?.["opened_at_ms"])];
    const banned = typeof facts["banned_until_ms"] === "number" && facts["banned_until_ms"] > Date.now();
    return [
      short(id),
      banned ? `banned until ${when(facts["banned_until_ms"])}` : way,
      numberOf(facts["score"]).toFixed(2),
      `${Math.round(numberOf(facts["success"]) * 100)} %`,
      facts["latency_ms"] === undefined ? "–" : `${Math.round(numberOf(facts["latency_ms"]))} ms`,
      facts["bytes_per_second"] === undefined ? "–" : `${formatBytes(numberOf(facts["bytes_per_second"]))}/s`,
      formatBytes(numberOf(facts["bytes_verified"])),
      String(numberOf(facts["bad_blocks"])),
      when(facts["last_seen_ms"]),
    ];
  });
}

export const TRANSFER_HEADS = ["Content", "State", "Done", "Speed", "Way", "Why", "Begun"];

export function transferRow(transfer: Json): Row {
  const [bytes, total] = [numberOf(transfer["bytes"]), numberOf(transfer["total_bytes"])];
  const runs = textOf(transfer["state"]) === "running";
  return [
    short(textOf(transfer["cid"])),
    textOf(transfer["state"]),
    total === 0
      ? formatBytes(bytes)
      : progress(bytes / total, `${formatBytes(bytes)} of ${formatBytes(total)}`),
    runs ? `${formatBytes(numberOf(transfer["bytes_per_second"]))}/s` : "–",
    textOf(transfer["way"]) || "–",
    textOf(transfer["error"]),
    when(transfer["created_at_ms"]),
  ];
}

export const JOB_HEADS = ["Content", "State", "Done", "Pace", "Left", "Why", "Begun"];

export function jobRow(job: Json): Row {
  const percent = Math.round(numberOf(job["percent"]));
  const runs = textOf(job["state"]) === "running";
  const left = job["eta_seconds"];
  return [
    short(textOf(job["cid"])),
    textOf(job["state"]),
    progress(percent / 100, `${percent} %`),
    runs ? `${Math.round(numberOf(job["fps"]))} pictures/s` : "–",
    runs && left !== undefined ? formatTime(numberOf(left)) : "–",
    textOf(job["error"]),
    when(job["created_at_ms"]),
  ];
}

/** How much is done, as a bar with its words. */
function progress(share: number, words: string): HTMLElement {
  const value = String(Math.min(1, Math.max(0, share)));
  return el("span", { class: "done" }, [
    el("progress", { attributes: { value, max: "1", "aria-label": words } }),
    el("span", { text: words }),
  ]);
}
