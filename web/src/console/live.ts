import { el } from "@cidcast/player";
import { type AdminApi, type Json, listOf, numberOf, objectOf, textOf } from "./admin-api.ts";
import { chart, type Point } from "./chart.ts";
import { bitrate, panel, table, when } from "./parts.ts";
import {
  JOB_HEADS,
  jobRow,
  PEER_HEADS,
  peerRows,
  TRANSFER_HEADS,
  transferRow,
  VIEWER_HEADS,
  viewerRow,
} from "./rows.ts";

/** Samples of viewers and bitrate that the charts show: ten minutes at one each two seconds. */
const MAX_SAMPLES = 300;
/** Events that the page shows; the oldest go. */
const MAX_EVENTS = 100;
/** Wait before the event stream is opened again, ms. */
const REOPEN_MS = 2_000;

/** What changes by itself: health, viewers, peers and events. */
export interface LivePanels {
  readonly elements: readonly HTMLElement[];
  refresh(): Promise<void>;
  /** Follows the events until `signal` aborts. */
  follow(signal: AbortSignal): Promise<void>;
}

export function livePanels(api: AdminApi): LivePanels {
  const health = el("div", {});
  const viewers = el("div", {});
  const peers = el("div", {});
  const transfers = el("div", {});
  const jobs = el("div", {});
  const charts = el("div", { class: "charts" });
  const events = el("ol", { class: "events" });
  const log = el(
    "div",
    { class: "log", attributes: { role: "log", "aria-label": "Events", "aria-live": "off", tabindex: "0" } },
    [events],
  );
  const update = updater();
  const viewerSamples: Point[] = [];
  const rateSamples: Point[] = [];
  const sent = new Map<string, number>();
  let sampledMs: number | undefined;

  const sample = (now: readonly Json[]): void => {
    const at = Date.now();
    let bytes = 0;
    for (const viewer of now) {
      const total = numberOf(viewer["bytes_sent"]);
      bytes += Math.max(0, total - (sent.get(textOf(viewer["id"])) ?? total));
    }
    sent.clear();
    for (const viewer of now) sent.set(textOf(viewer["id"]), numberOf(viewer["bytes_sent"]));
    const seconds = sampledMs === undefined ? 0 : (at - sampledMs) / 1000;
    sampledMs = at;
    push(viewerSamples, { at, value: now.length });
    push(rateSamples, { at, value: seconds === 0 ? 0 : (bytes * 8) / seconds });
  };
  return {
    elements: [
      panel("Health", [health]),
      panel("Right now", [charts]),
      panel("Viewers", [viewers], { wide: true }),
      panel("Transfers", [transfers], { wide: true }),
      panel("Jobs", [jobs], { wide: true }),
      panel("Peers", [peers], { wide: true }),
      panel("Events", [log], { wide: true }),
    ],
    async refresh() {
      const overview = await api.get("overview");
      const now = listOf(overview["viewers"]);
      sample(now);
      health.replaceChildren(...healthOf(objectOf(overview["node"])));
      viewers.replaceChildren(table("Viewers", VIEWER_HEADS, now.map(viewerRow)));
      const [moves, work] = [listOf(overview["transfers"]), listOf(overview["jobs"])];
      update(peers, [overview["peers"], overview["known_peers"]], () =>
        table("Peers", PEER_HEADS, peerRows(overview)),
      );
      update(transfers, moves, () => table("Transfers", TRANSFER_HEADS, moves.map(transferRow)));
      update(jobs, work, () => table("Jobs", JOB_HEADS, work.map(jobRow)));
      const rate = bitrate(rateSamples.at(-1)?.value ?? 0);
      charts.replaceChildren(
        figure(`${now.length} viewer${now.length === 1 ? "" : "s"}`, viewerSamples),
        figure(rate, rateSamples),
      );
    },
    async follow(signal) {
      while (!signal.aborted) {
        try {
          for await (const event of api.events(signal)) {
            events.prepend(eventRow(event));
            while (events.childElementCount > MAX_EVENTS) events.lastElementChild?.remove();
          }
        } catch {
          // The stream broke: the panels above say when the node is gone.
        }
        if (!signal.aborted) await new Promise(resolve => setTimeout(resolve, REOPEN_MS));
      }
    },
  };
}

/** Makes parts of the page anew only when what they show has changed: a table that is scrolled stays so. */
function updater(): (place: HTMLElement, of: unknown, make: () => HTMLElement) => void {
  const shown = new WeakMap<HTMLElement, string>();
  return (place, of, make) => {
    const now = JSON.stringify(of);
    if (shown.get(place) === now) return;
    shown.set(place, now);
    place.replaceChildren(make());
  };
}

function healthOf(node: Json): HTMLElement[] {
  const parts = listOf(node["parts"]).map(part => {
    const state = textOf(part["state"]);
    const reason = textOf(part["reason"]);
    return el("li", {}, [
      el("span", { class: `state ${state}`, text: state }),
      el("span", {}, [el("strong", { text: textOf(part["name"]) }), reason === "" ? "" : ` ${reason}`]),
    ]);
  });
  const facts = [
    `version ${textOf(node["version"])}`,
    `up since ${when(node["startedAtMs"])}`,
    `${numberOf(node["contentCount"])} pieces of content`,
    `encoder: ${textOf(node["encoder"]) || "none"}`,
  ];
  return [el("p", { class: "soft", text: facts.join(" · ") }), el("ul", { class: "states" }, parts)];
}

function figure(words: string, points: readonly Point[]): HTMLElement {
  return el("figure", {}, [
    chart(points, "line", `${words} now, over the time since this page was opened`),
    el("figcaption", { text: words }),
  ]);
}

function eventRow(event: Json): HTMLElement {
  const data = objectOf(event["data"]);
  const about = Object.entries(data)
    .filter(([, value]) => typeof value === "string" || typeof value === "number")
    .map(([name, value]) => `${name} ${textOf(value)}`)
    .join(", ");
  return el("li", {}, [
    el("time", { text: new Date().toLocaleTimeString() }),
    el("strong", { text: textOf(event["notification_type"]) || textOf(event["type"]) || "event" }),
    el("span", { class: "soft", text: about.slice(0, 300) }),
  ]);
}

function push(samples: Point[], point: Point): void {
  samples.push(point);
  if (samples.length > MAX_SAMPLES) samples.shift();
}
