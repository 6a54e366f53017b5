import type { ContentRecordBody } from "@cidcast/client";
import { CidPlayer, el, formatBytes, formatTime } from "@cidcast/player";
import { pageNode, pageToken } from "../shared/access.ts";
import { copyButton } from "../shared/copy-button.ts";
import { describeRecord } from "../shared/describe.ts";

/** `<cid-play-page>`: the player for the CID in the page's address, and what is known of that content. */
export class CidPlayPage extends HTMLElement {
  connectedCallback(): void {
    const cid = cidOf(location.pathname);
    const player = new CidPlayer();
    player.token = pageToken();
    player.setAttribute("keys", "page");
    player.setAttribute("autoplay", "");
    player.setAttribute("resume", "");
    const start = startOf(location);
    if (start !== undefined) player.setAttribute("start", start);
    player.srcCid = cid;

    const title = el("h1", { text: "Player" });
    const facts = el("p", { class: "facts soft" });
    const about = el("div", { class: "about" }, [
      el("div", { class: "names" }, [title, facts]),
      el("div", { class: "actions" }, [
        copyButton("Copy link", "Copy link to this page", linkAt(0)),
        copyButton("Copy link at this time", "Copy link at this time", () => linkAt(player.currentTime)),
        copyButton("Copy CID", "Copy CID", cid),
        el("a", { class: "button", text: "Download", attributes: { href: `/ipfs/${cid}?download=1` } }),
      ]),
      el("p", { class: "cid" }, [el("code", { text: cid })]),
    ]);
    this.replaceChildren(player, about);
    player.focus();
    void describeContent(cid, title, facts);
  }
}

/** The CID, and a path where there is one, in `/play/<cid>[/path]`. */
function cidOf(path: string): string {
  const encoded = path.replace(/^\/play\//, "").replace(/\/+$/, "");
  try {
    return decodeURIComponent(encoded);
  } catch {
    return encoded;
  }
}

/** `?t=12` or `#t=12`: where playing starts. */
function startOf(address: Location): string | undefined {
  const fromHash = new URLSearchParams(address.hash.slice(1)).get("t");
  return new URLSearchParams(address.search).get("t") ?? fromHash ?? undefined;
}

/** Address of this page that starts at a place, whole seconds; without one, from the start or where its reader left. */
function linkAt(seconds: number): string {
  const address = new URL(location.pathname, location.origin);
  const whole = Math.floor(seconds);
  if (whole > 0) address.searchParams.set("t", String(whole));
  return address.href;
}

async function describeContent(cid: string, title: HTMLElement, facts: HTMLElement): Promise<void> {
  const node = pageNode();
  // Content that was not added here has no record: the player says what it can about it.
  const record: ContentRecordBody | undefined = await node.record(cid).catch(() => undefined);
  if (!record) return;
  const view = describeRecord(record);
  title.textContent = view.title;
  document.title = `${view.title} · cidcast`;
  const duration = view.durationSeconds === undefined ? [] : [formatTime(view.durationSeconds)];
  facts.textContent = [view.type, ...duration, formatBytes(record.size)].join(" · ");
}
