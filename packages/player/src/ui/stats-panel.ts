import type { QualityDecision } from "../playback/node-figures.ts";
import type { PlayerStats } from "../playback/stats.ts";
import { codecName, formatBitrate } from "../text/format.ts";
import { createCharts } from "./charts.ts";
import { el } from "./dom.ts";
import { createPanel, type Panel } from "./help-panel.ts";

/** What happens to a track on its way, and why. */
interface TrackNote {
  readonly kind: "video" | "audio";
  /** Codec in the file. */
  readonly codec: string;
  readonly mode: "passthrough" | "transcode" | "unplayable";
  readonly reason: string;
}

export interface StatsPanel extends Panel {
  update(stats: PlayerStats, tracks: readonly TrackNote[]): void;
}

/** Words for what happens to a track. */
const MODE_WORDS = {
  passthrough: "passed through",
  transcode: "transcoded",
  unplayable: "not played",
} as const;

export function createStatsPanel(onClose: () => void): StatsPanel {
  const list = el("dl", { class: "figures" });
  const charts = createCharts();
  const decisions = el("ol", { class: "decisions", attributes: { "aria-label": "Changes of quality" } });
  const body = el("div", {}, [charts.element, list, decisions]);
  const panel = createPanel("stats-panel", "Statistics", body, onClose);
  return {
    element: panel.element,
    get open() {
      return panel.open;
    },
    toggle: open => panel.toggle(open),
    update(stats, tracks) {
      charts.add(stats);
      decisions.replaceChildren(...(stats.node?.decisions ?? []).map(decisionLine));
      list.replaceChildren(
        ...statsLines(stats).flatMap(([name, value]) => [
          el("dt", { text: name }),
          el("dd", { text: value }),
        ]),
        ...tracks.flatMap(track => [
          el("dt", { text: track.kind === "video" ? "Picture track" : "Sound track" }),
          el("dd", { class: "verdict" }, [
            el("strong", {
              class: `mode-${track.mode}`,
              text: `${codecName(track.codec)}, ${MODE_WORDS[track.mode]}`,
            }),
            el("span", { text: track.reason }),
          ]),
        ]),
      );
    },
  };
}

function decisionLine({ time, from, to, reason }: QualityDecision): HTMLElement {
  const what = [from, to].filter(level => level !== "").join(" → ");
  return el("li", {}, [
    el("time", { text: new Date(time * 1000).toLocaleTimeString() }),
    ` ${what}${reason === "" ? "" : `: ${reason}`}`,
  ]);
}

function sentAs({ videoCodec, audioCodec }: PlayerStats): string {
  const names = [videoCodec, audioCodec].filter(name => name !== undefined);
  return names.map(codecName).join(" + ") || "–";
}

/** Said where the node's machine is too slow for all pictures. */
function paceLine(level: number): [name: string, value: string][] {
  return level === 0 ? [] : [["Encoder", `leaves out pictures to keep up (step ${level} of 4)`]];
}

/** The figures of a sample as name and value, for people. */
export function statsLines(stats: PlayerStats): [name: string, value: string][] {
  const picture = stats.width > 0 ? `${stats.width} × ${stats.height}` : "none";
  const ms = (value: number | undefined): string => (value === undefined ? "–" : `${value.toFixed(0)} ms`);
  if (stats.delivery === "http") {
    return [
      ["Delivery", "HTTP, the file itself: WebRTC did not come up"],
      ["Picture", picture],
      ["Frames", `${stats.framesDecoded} decoded, ${stats.framesDropped} dropped`],
    ];
  }
  return [
    ["Delivery", "WebRTC"],
    ["Picture", stats.width > 0 ? `${picture}, ${stats.framesPerSecond.toFixed(0)} fps` : picture],
    ["Frames", `${stats.framesDecoded} decoded, ${stats.framesDropped} dropped, ${stats.freezes} freezes`],
    ["Bit rate", formatBitrate(stats.bitrateBps)],
    ["Lost packets", `${(stats.lossShare * 100).toFixed(1)} % (${stats.packetsLost} in all)`],
    ["Round trip", ms(stats.roundTripMs)],
    ["Jitter buffer", ms(stats.jitterBufferMs)],
    ["Sent as", sentAs(stats)],
    ...paceLine(stats.node?.paceLevel ?? 0),
  ];
}
