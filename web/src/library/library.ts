import {
  type ClientError,
  type ContentRecordBody,
  type NotificationSubscription,
  subscribeToNotifications,
  toClientError,
} from "@cidcast/client";
import { el, errorText } from "@cidcast/player";
import { pageNode, pageToken } from "../shared/access.ts";
import { watchDrops } from "./drop.ts";
import { createPosters, type Posters } from "./posters.ts";
import { recordRow } from "./record-row.ts";
import { createRemovals } from "./removals.ts";
import { createUploadList } from "./upload-list.ts";
import { createViewChoice } from "./view-choice.ts";

/** Records asked for at a time. */
const PAGE_SIZE = 50;
/** How long typing rests before a search starts, ms. */
const SEARCH_AFTER_MS = 200;
/** How long news of the node are gathered before the list is read anew, ms. */
const NEWS_AFTER_MS = 300;

/** `<cid-library>`: what the node holds, and a way to add to it. */
export class CidLibrary extends HTMLElement {
  readonly #node = pageNode();
  readonly #list = el("ul", { class: "records", attributes: { "aria-label": "Content" } });
  readonly #state = el("div", { class: "state", attributes: { role: "status" } });
  readonly #more = el("button", {
    class: "button more",
    text: "Show more",
    attributes: { type: "button", hidden: "" },
    on: { click: () => void this.#load(this.#records.length) },
  });
  readonly #search = el("input", {
    class: "search",
    attributes: {
      type: "search",
      placeholder: "Search by name or CID",
      "aria-label": "Search",
      maxlength: "200",
    },
    on: { input: () => this.#searchSoon() },
  });
  readonly #view = createViewChoice(change => {
    if (change === "sort") void this.#load(0);
    this.#showLayout();
  });
  readonly #uploads = createUploadList(() => void this.#load(0));
  readonly #removals = createRemovals({
    remove: cid => this.#node.remove(cid),
    onChange: () => this.#showRecords(),
  });
  /** What is listed, without what is about to be removed. */
  #records: readonly ContentRecordBody[] = [];
  #posters: Posters = createPosters(this.#node);
  #news: NotificationSubscription | undefined;
  #newsTimer: ReturnType<typeof setTimeout> | undefined;
  #scope: AbortController | undefined;
  #pending: AbortController | undefined;
  #searchTimer: ReturnType<typeof setTimeout> | undefined;

  connectedCallback(): void {
    const scope = new AbortController();
    this.#scope = scope;
    this.#posters = createPosters(this.#node);
    this.#showLayout();
    const picker = el("input", {
      class: "visually-hidden",
      attributes: { type: "file", multiple: "", id: "picker" },
    });
    picker.addEventListener("change", () => {
      this.#uploads.add(picker.files ?? []);
      picker.value = "";
    });
    const choose = el("label", { class: "button primary", text: "Add files", attributes: { for: "picker" } });
    this.replaceChildren(
      el("div", { class: "bar" }, [
        el("h1", { text: "Library" }),
        this.#search,
        this.#view.element,
        el("span", { class: "choose" }, [picker, choose]),
      ]),
      this.#uploads.element,
      this.#removals.element,
      this.#state,
      this.#list,
      this.#more,
    );
    watchDrops(this, files => this.#uploads.add(files), scope.signal);
    document.addEventListener("visibilitychange", () => this.#refreshWhenShown(), { signal: scope.signal });
    addEventListener("pagehide", () => this.#removals.finish(), { signal: scope.signal });
    void this.#load(0);
    // Without the node's answer there is nothing to go on with.
    this.#uploads.showUnfinished().catch(() => undefined);
    this.#news = subscribeToNotifications(
      { url: location.origin, token: pageToken() },
      { types: ["content_added", "content_removed"], signal: scope.signal },
      () => this.#refreshSoon(),
    );
    // Without news the list is read anew when it is looked at again.
    this.#news.ready.catch(() => undefined);
  }

  disconnectedCallback(): void {
    this.#scope?.abort();
    this.#pending?.abort();
    this.#news?.close();
    this.#posters.close();
    this.#removals.finish();
    clearTimeout(this.#searchTimer);
    clearTimeout(this.#newsTimer);
  }

  #refreshSoon(): void {
    clearTimeout(this.#newsTimer);
    this.#newsTimer = setTimeout(() => this.#refreshWhenShown(), NEWS_AFTER_MS);
  }

  #searchSoon(): void {
    clearTimeout(this.#searchTimer);
    this.#searchTimer = setTimeout(() => void this.#load(0), SEARCH_AFTER_MS);
  }

  #refreshWhenShown(): void {
    // Only the first page: whoever has scrolled further keeps the place.
    if (!document.hidden && this.#records.length <= PAGE_SIZE) void this.#load(0);
  }

  async #load(offset: number): Promise<void> {
    this.#pending?.abort();
    const pending = new AbortController();
    this.#pending = pending;
    const search = this.#search.value.trim();
    try {
      const { records, total } = await this.#node.list(
        { search, sort: this.#view.sort, limit: PAGE_SIZE, offset },
        { signal: pending.signal },
      );
      this.#records = offset === 0 ? records : [...this.#records, ...records];
      this.#showRecords();
      this.#more.hidden = this.#records.length >= total;
      this.#search.hidden = total === 0 && search === "";
      this.#view.element.hidden = this.#search.hidden;
      this.#showState(total, search);
    } catch (thrown) {
      const error = toClientError(thrown);
      if (error.code !== "ABORTED") this.#showError(error);
    }
  }

  #showRecords(): void {
    // Whoever is at a row by keyboard stays there when the list is read anew.
    const focused = this.#list.querySelector<HTMLAnchorElement>(".record:focus-within a.title")?.href;
    const shown = this.#records.filter(({ cid }) => !this.#removals.has(cid));
    this.#list.replaceChildren(
      ...shown.map(record =>
        recordRow(record, {
          posters: this.#posters,
          onRemove: ({ cid }, title) => this.#removals.add(cid, title),
        }),
      ),
    );
    const again = [...this.#list.querySelectorAll<HTMLAnchorElement>("a.title")];
    if (focused !== undefined) again.find(link => link.href === focused)?.focus();
  }

  #showLayout(): void {
    this.#list.classList.toggle("grid", this.#view.grid);
  }

  #showState(total: number, search: string): void {
    if (total > 0) {
      this.#state.replaceChildren();
    } else if (search === "") {
      this.#state.replaceChildren(
        el("div", { class: "empty" }, [
          el("strong", { text: "Nothing here yet" }),
          el("p", {
            class: "soft",
            text: "Drop a video or sound file anywhere on this page, or choose one.",
          }),
          el("label", { class: "button primary", text: "Choose files", attributes: { for: "picker" } }),
        ]),
      );
    } else {
      this.#state.replaceChildren(el("p", { class: "soft", text: `Nothing is called “${search}”.` }));
    }
  }

  #showError(error: ClientError): void {
    const text = errorText(error.code);
    this.#state.replaceChildren(
      el("div", { class: "notice bad" }, [
        el("strong", { text: text.title }),
        `${text.advice} `,
        el("code", { text: error.code }),
        el("p", {}, [
          el("button", {
            class: "button",
            text: "Try again",
            attributes: { type: "button" },
            on: { click: () => void this.#load(0) },
          }),
        ]),
      ]),
    );
  }
}
