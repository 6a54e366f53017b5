import { el } from "./dom.ts";

/** Small pictures on sheets, as `/api/v0/storyboard` tells. */
interface Storyboard {
  readonly intervalSeconds: number;
  readonly count: number;
  readonly columns: number;
  readonly rows: number;
  readonly width: number;
  readonly height: number;
}

export interface Thumbnail {
  readonly element: HTMLElement;
  /** Shows the picture of a time of what `address` makes addresses for; nothing where there is none. */
  show(seconds: number, address: (path: string) => string): void;
}

/** The picture above the seek bar. What is needed is asked for when it is first looked at. */
export function createThumbnail(): Thumbnail {
  const element = el("span", { class: "thumbnail", attributes: { hidden: "" } });
  let asked = "";
  let board: Storyboard | undefined;
  const load = async (url: string): Promise<void> => {
    asked = url;
    board = undefined;
    const answer = await fetch(url).catch(() => undefined);
    // Only what the viewer looks at now counts.
    if (answer?.ok === true && asked === url)
      board = (await answer.json().catch(() => undefined)) as Storyboard;
  };
  return {
    element,
    show(seconds, address) {
      const url = address("");
      if (url !== asked) void load(url);
      element.hidden = !board;
      if (!board) return;
      const { columns, rows, width, height, count, intervalSeconds } = board;
      const tile = Math.min(count - 1, Math.max(0, Math.floor(seconds / intervalSeconds)));
      const place = tile % (columns * rows);
      const sheet = Math.floor(tile / (columns * rows));
      element.style.cssText = `width:${width}px;height:${height}px;background:url("${address(`/${sheet}`)}") -${(place % columns) * width}px -${Math.floor(place / columns) * height}px`;
    },
  };
}
