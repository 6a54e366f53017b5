import { el, setText } from "@cidcast/player";
import logo from "../shared/icon.svg";
import { AdminError, type AdminApi, createAdminApi, keepKey, keptKey } from "./admin-api.ts";
import { livePanels } from "./live.ts";
import { field, form } from "./parts.ts";
import { peoplePanels } from "./people.ts";

/** How often what changes by itself is asked for, ms. */
const LIVE_MS = 2_000;
/** How often the rest is asked for, ms. */
const PEOPLE_MS = 15_000;

/** `<cid-console>`: how the node is, who uses it and who may, for who has the admin key. */
export class CidConsole extends HTMLElement {
  #signedIn: AbortController | undefined;
  readonly #message = el("p", { class: "notice bad", attributes: { role: "alert", hidden: "" } });

  connectedCallback(): void {
    void this.#enter(keptKey() ?? "");
  }

  disconnectedCallback(): void {
    this.#signedIn?.abort();
  }

  /** Shows the console when the key is right, else asks for one. An empty key is right where none is needed. */
  async #enter(key: string): Promise<void> {
    const api = createAdminApi(key);
    try {
      await api.get("scopes");
    } catch (error) {
      keepKey(undefined);
      const asked = key === "" && error instanceof AdminError && error.status === 401;
      this.#askForKey(asked ? undefined : error);
      return;
    }
    keepKey(key);
    this.#show(api, key !== "");
  }

  #askForKey(error: unknown): void {
    this.#signedIn?.abort();
    const key = field("Admin key", { type: "password", required: "" });
    const hint = "It lies in the node's data directory, in the file admin-key.";
    const signIn = form("Sign in", [key.element, el("p", { class: "soft", text: hint })], {
      submit: "Sign in",
      onSubmit: () => this.#enter(key.input.value.trim()),
    });
    this.#say(error);
    this.replaceChildren(this.#header(), el("main", { class: "sign-in" }, [this.#message, signIn]));
    key.input.focus();
  }

  #show(api: AdminApi, mayLeave: boolean): void {
    const signedIn = new AbortController();
    this.#signedIn = signedIn;
    const live = livePanels(api);
    const people = peoplePanels(api, {
      tell: error => this.#say(error),
      confirm: question => globalThis.confirm(question),
    });
    this.#say(undefined);
    const leave = (): void => {
      keepKey(undefined);
      this.#askForKey(undefined);
    };
    this.replaceChildren(
      this.#header(mayLeave ? leave : undefined),
      el("main", { class: "console" }, [this.#message, ...live.elements, ...people.elements]),
    );
    const repeat = (work: () => Promise<void>, everyMs: number): void => {
      const once = async (): Promise<void> => {
        if (document.hidden) return;
        await work().then(
          () => this.#recovered(),
          (error: unknown) => this.#failed(error),
        );
      };
      void once();
      const timer = setInterval(() => void once(), everyMs);
      signedIn.signal.addEventListener("abort", () => clearInterval(timer));
    };
    repeat(() => live.refresh(), LIVE_MS);
    repeat(() => people.refresh(), PEOPLE_MS);
    void live.follow(signedIn.signal);
  }

  #header(leave?: () => void): HTMLElement {
    const home = el("a", { attributes: { href: "/" } }, [
      el("img", { attributes: { src: logo, alt: "", width: "28", height: "28" } }),
      "cidcast",
    ]);
    const title = el("h1", { text: "Console" });
    const out =
      leave === undefined
        ? []
        : [
            el("button", {
              class: "button",
              text: "Sign out",
              attributes: { type: "button" },
              on: { click: leave },
            }),
          ];
    return el("header", { class: "console-header" }, [home, title, ...out]);
  }

  #unreachable = false;

  #failed(error: unknown): void {
    if (error instanceof AdminError && error.status === 401) {
      keepKey(undefined);
      this.#askForKey(error);
      return;
    }
    this.#unreachable = !(error instanceof AdminError);
    this.#say(this.#unreachable ? new Error("The node does not answer") : error);
  }

  #recovered(): void {
    if (!this.#unreachable) return;
    this.#unreachable = false;
    this.#say(undefined);
  }

  #say(error: unknown): void {
    this.#message.hidden = error === undefined;
    setText(this.#message, error instanceof Error ? error.message : "");
  }
}
