/** A point in time and its value. */
export interface Point {
  readonly at: number;
  readonly value: number;
}

const SVG = "http://www.w3.org/2000/svg";
const WIDTH = 320;
const HEIGHT = 90;

/** A chart of values over time: bars, or a line. `words` says the same to who does not see it. */
export function chart(points: readonly Point[], kind: "bars" | "line", words: string): SVGSVGElement {
  const svg = part("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: "img", class: `chart ${kind}` });
  svg.setAttribute("aria-label", words);
  svg.setAttribute("preserveAspectRatio", "none");
  const most = Math.max(1, ...points.map(point => point.value));
  const y = (value: number): number => HEIGHT - 2 - (value / most) * (HEIGHT - 8);
  svg.append(part("line", { x1: "0", x2: `${WIDTH}`, y1: `${HEIGHT - 1}`, y2: `${HEIGHT - 1}` }));
  if (kind === "line") {
    const step = WIDTH / Math.max(1, points.length - 1);
    const line = points.map((point, index) => `${(index * step).toFixed(1)},${y(point.value).toFixed(1)}`);
    svg.append(part("polyline", { points: line.join(" ") }));
    return svg;
  }
  const step = WIDTH / Math.max(1, points.length);
  for (const [index, { value }] of points.entries()) {
    if (value === 0) continue;
    const top = y(value);
    svg.append(
      part("rect", {
        x: (index * step + step * 0.15).toFixed(1),
        width: (step * 0.7).toFixed(1),
        y: top.toFixed(1),
        height: (HEIGHT - 1 - top).toFixed(1),
      }),
    );
  }
  return svg;
}

function part<Tag extends keyof SVGElementTagNameMap>(
  tag: Tag,
  attributes: Readonly<Record<string, string>>,
): SVGElementTagNameMap[Tag] {
  const element = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  return element;
}
