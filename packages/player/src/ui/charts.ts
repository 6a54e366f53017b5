import type { PlayerStats } from "../playback/stats.ts";
import { formatBitrate } from "../text/format.ts";
import { el } from "./dom.ts";

/** Samples that a chart shows, one a second. */
export const MAX_CHART_SAMPLES = 60;
const SVG = "http://www.w3.org/2000/svg";
const WIDTH = 120;
const HEIGHT = 28;

interface Series {
  readonly name: string;
  readonly value: (stats: PlayerStats) => number | undefined;
  readonly text: (value: number) => string;
}

const SERIES: readonly Series[] = [
  { name: "Bit rate", value: stats => stats.bitrateBps, text: formatBitrate },
  { name: "Path carries", value: stats => stats.node?.estimateBps, text: formatBitrate },
  { name: "Pictures", value: stats => stats.framesPerSecond, text: value => `${value.toFixed(0)} fps` },
  { name: "Lost", value: stats => stats.lossShare * 100, text: value => `${value.toFixed(1)} %` },
  { name: "Round trip", value: stats => stats.roundTripMs, text: value => `${value.toFixed(0)} ms` },
];

/** Small charts of the last minute. */
export interface Charts {
  readonly element: HTMLElement;
  add(stats: PlayerStats): void;
}

export function createCharts(): Charts {
  const charts = SERIES.map(series => {
    const line = document.createElementNS(SVG, "path");
    const svg = document.createElementNS(SVG, "svg");
    svg.setAttribute("viewBox", `0 0 ${WIDTH} ${HEIGHT}`);
    svg.setAttribute("preserveAspectRatio", "none");
    svg.setAttribute("aria-hidden", "true");
    svg.append(line);
    const last = el("span");
    const most = el("span", { class: "most" });
    const head = el("figcaption", {}, [el("span", { text: series.name }), last]);
    const figure = el("figure", { attributes: { hidden: "" } }, [head, svg, most]);
    return { series, line, last, most, figure, values: [] as number[] };
  });
  const element = el(
    "div",
    { class: "charts" },
    charts.map(({ figure }) => figure),
  );
  return {
    element,
    add(stats) {
      for (const { series, line, last, most, figure, values } of charts) {
        const value = series.value(stats);
        if (value === undefined) continue;
        values.push(value);
        if (values.length > MAX_CHART_SAMPLES) values.shift();
        line.setAttribute("d", chartPath(values));
        last.textContent = series.text(value);
        most.textContent = `up to ${series.text(Math.max(...values))}`;
        figure.hidden = values.length < 2;
      }
    },
  };
}

/** Values as a line from left to right, the newest at the right edge, the largest at the top. */
export function chartPath(values: readonly number[]): string {
  const most = Math.max(...values, 1e-9);
  const step = WIDTH / (MAX_CHART_SAMPLES - 1);
  const from = WIDTH - (values.length - 1) * step;
  const y = (value: number): number => HEIGHT - 1 - (value / most) * (HEIGHT - 2);
  return values
    .map((value, at) => `${at === 0 ? "M" : "L"}${(from + at * step).toFixed(1)} ${y(value).toFixed(1)}`)
    .join("");
}
