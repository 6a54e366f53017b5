import { CidcastError, type Principal } from "../core/index.ts";
import { MAX_RESULTS } from "./limits.ts";
import type { JsonObject, ResourceProvider } from "./types.ts";

/** What happens, as a resource: read, it is the last events; subscribed to, its updates say that there are new ones. */
export const EVENTS_URI = "cidcast://events";

/** The node's one log of events, as MCP sees it. */
export interface EventSource {
  /** The last events that the principal may see, oldest first; of these types, when some are named. */
  recent(
    principal: Principal,
    query: { readonly types: readonly string[]; readonly limit: number },
  ): JsonObject[];
  /** Told of each event, by the tenant it is for; undefined: for nobody but the owner. */
  follow(listener: (tenantId: string | undefined) => void): () => void;
}

/** True for who may see events at all. */
export function maySeeEvents({ scopes }: Principal): boolean {
  return scopes.has("*") || scopes.has("events");
}

export function eventResources(source: EventSource): ResourceProvider {
  const described = {
    name: "events",
    title: "What happened",
    description: `The last events, oldest first. ${EVENTS_URI}?types=<type>,<type>&limit=<n> chooses among them. Subscribe to ${EVENTS_URI} to be told of new ones.`,
    mimeType: "application/json",
  };
  return {
    templates: [{ uriTemplate: `${EVENTS_URI}{?types,limit}`, ...described }],
    list: async ({ principal }) => (maySeeEvents(principal) ? [{ uri: EVENTS_URI, ...described }] : []),
    async read(uri, { principal }) {
      const [path = "", query = ""] = uri.split("?", 2);
      if (path !== EVENTS_URI) return undefined;
      if (!maySeeEvents(principal))
        throw new CidcastError("FORBIDDEN", "Insufficient permissions to read events: events is needed");
      const parameters = new URLSearchParams(query);
      const types =
        parameters
          .get("types")
          ?.split(",")
          .filter(type => type !== "") ?? [];
      const limit = Number(parameters.get("limit") ?? MAX_RESULTS);
      if (!Number.isInteger(limit) || limit < 1 || limit > MAX_RESULTS)
        throw new CidcastError("INVALID_REQUEST", `limit is a number from 1 to ${MAX_RESULTS}`);
      const events = source.recent(principal, { types, limit });
      return {
        contents: [{ uri, mimeType: "application/json", text: JSON.stringify({ events }) }],
        ttlMs: 0,
        cacheScope: "private",
      };
    },
  };
}
