import type { ContentRecordBody } from "@cidcast/client";
import { el, formatBytes, formatTime, icon, shortCid } from "@cidcast/player";
import { copyButton } from "../shared/copy-button.ts";
import { describeRecord } from "../shared/describe.ts";
import type { Posters } from "./posters.ts";

/** Signs for the kinds of content; decorative. */
const SIGNS = { video: "play", sound: "sound", picture: "file", folder: "folder", file: "file" } as const;

/** One line of the library. */
export function recordRow(
  record: ContentRecordBody,
  {
    posters,
    onRemove,
  }: {
    readonly posters: Posters;
    readonly onRemove: (record: ContentRecordBody, title: string) => void;
  },
): HTMLLIElement {
  const view = describeRecord(record);
  const address = view.playable ? `/play/${record.cid}` : `/ipfs/${record.cid}`;
  const title = el("a", { class: "title", text: view.title, attributes: { href: address } });
  const facts = [
    view.type,
    view.durationSeconds === undefined ? "" : formatTime(view.durationSeconds),
    formatBytes(record.size),
  ].filter(fact => fact !== "");
  const sign = el("span", { class: "sign" }, [icon(SIGNS[view.kind])]);
  if (view.kind === "video") posters.show(sign, record.cid, view.durationSeconds);
  const link = new URL(address, location.origin).href;
  return el("li", { class: `record ${view.kind}` }, [
    sign,
    el("div", { class: "what" }, [
      title,
      el("span", { class: "facts soft", text: facts.join(" · ") }),
      el("code", { class: "soft", text: shortCid(record.cid), attributes: { title: record.cid } }),
    ]),
    el("div", { class: "actions" }, [
      copyButton("Copy CID", `Copy CID of ${view.title}`, record.cid),
      copyButton("Copy link", `Copy link to ${view.title}`, link),
      el("button", {
        class: "button",
        text: "Remove",
        attributes: { type: "button", "aria-label": `Remove ${view.title}` },
        on: { click: () => onRemove(record, view.title) },
      }),
    ]),
  ]);
}
