import type { ContentFor } from "../door/tenants.ts";
import type { FileComponents } from "../gateway/file.ts";
import type { HttpComponents, HttpInit } from "../types.ts";

/** What the API's routes are given. */
export interface ApiComponents extends HttpComponents, Pick<FileComponents, "limits"> {
  readonly init: HttpInit;
  /** Records and pins as the caller has them. */
  readonly contentFor: ContentFor;
  /** Aborts when the server begins to stop: what would last for ever ends. */
  readonly stopping: AbortSignal;
  readonly http: FileComponents["metrics"];
}

/** What sending a file needs of them. */
export function fileComponents(api: ApiComponents): FileComponents {
  const { content, contentFor, tenants, limits, log, http: metrics } = api;
  return { content, contentFor, quotas: tenants?.quotas, limits, log, metrics };
}
