import type { NodeStatus } from "@cidcast/client";
import { el } from "@cidcast/player";
import { pageNode } from "./access.ts";
import logo from "./icon.svg";

/** How often the node's state is asked for, ms. */
const STATUS_MS = 5_000;

/** `<cid-header>`: the way home, and how the node is. */
export class CidHeader extends HTMLElement {
  #timer: ReturnType<typeof setInterval> | undefined;

  connectedCallback(): void {
    const state = el("span", { class: "node-state", attributes: { role: "status", dir: "ltr" } });
    const home = el("a", { attributes: { href: "/" } }, [
      el("img", { attributes: { src: logo, alt: "", width: "28", height: "28" } }),
      "cidcast",
    ]);
    this.replaceChildren(el("header", {}, [home, state]));
    const node = pageNode();
    const ask = async (): Promise<void> => {
      if (document.hidden) return;
      state.textContent = await node.status().then(describe, () => "The node does not answer");
    };
    void ask();
    this.#timer = setInterval(() => void ask(), STATUS_MS);
  }

  disconnectedCallback(): void {
    clearInterval(this.#timer);
  }
}

function describe(status: NodeStatus): string {
  const failed = status.parts.find(part => part.state === "failed");
  if (failed) return `${failed.name} is not working${failed.reason ? `: ${failed.reason}` : ""}`;
  const count = (n: number, one: string): string => `${n} ${one}${n === 1 ? "" : "s"}`;
  return [count(status.sessions, "viewer"), count(status.peers, "peer")].join(" · ");
}
