import type { FileComponents } from "../gateway/file.ts";
import type { HttpComponents, HttpInit } from "../types.ts";

/** What the API's routes are given. */
export interface ApiComponents extends HttpComponents, Pick<FileComponents, "limits"> {
  readonly init: HttpInit;
  /** Aborts when the server begins to stop: what would last for ever ends. */
  readonly stopping: AbortSignal;
  readonly http: FileComponents["metrics"];
}
