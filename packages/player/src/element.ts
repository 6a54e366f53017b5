import "./no-eval.ts";

/** The element's class alone: nothing is defined, so that a page can define its own under the name it wants. */
export { CidPlayer } from "./cid-player.ts";
