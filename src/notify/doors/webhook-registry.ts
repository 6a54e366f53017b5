import { randomUUID } from "node:crypto";
import { isEventType } from "@cidcast/protocols/notifications";
import { CidcastError, type Clock, type Logger, ownerPrincipal, type Service } from "../../core/index.ts";
import type { EventLog } from "../log/index.ts";
import type { Notify } from "../notify.ts";
import type { NotifyDatabase, NotifyTables } from "./webhook-tables.ts";
import type { DeliveryReport } from "./webhooks.ts";

type Row = NotifyTables["notify_webhooks"];

/** A webhook as its owner sees it. */
export interface Webhook {
  readonly id: string;
  readonly url: string;
  /** Notification types; none: all. */
  readonly types: readonly string[];
  readonly filter: string | undefined;
  readonly createdAtMs: number;
  /** Events that its receiver accepted, and that were given up, since this node started. */
  readonly delivered: number;
  readonly givenUp: number;
  /** Why the last attempt failed; undefined when it did not. */
  readonly lastError: string | undefined;
}

export interface WebhookRequest {
  readonly url: string;
  readonly types?: readonly string[] | undefined;
  readonly filter?: string | undefined;
}

/** The webhooks of a node, kept over restarts. */
export interface WebhookRegistry extends Service {
  /** Begins with the next event. The secret is told here and never again. `INVALID_REQUEST`, `LIMIT_REACHED`. */
  add(request: WebhookRequest): Promise<{ readonly webhook: Webhook; readonly secret: string }>;
  list(): readonly Webhook[];
  /** `NOT_FOUND` when there is none of that id. */
  remove(id: string): Promise<void>;
}

export interface WebhookRegistryInit {
  /** The key with which requests of a webhook are signed. The same id has the same key, always. */
  readonly secretOf: (id: string) => string;
}

export interface WebhookRegistryComponents {
  readonly db: NotifyDatabase;
  readonly notify: Pick<Notify, "select" | "webhooks"> & { readonly events: EventLog };
  readonly clock: Clock;
  readonly log: Logger;
}

interface Running {
  readonly row: Row;
  readonly end: () => Promise<void>;
  delivered: number;
  givenUp: number;
  lastError: string | undefined;
}

/** Keeps webhooks in the node's database: which there are, and which events each has got. */
export function createWebhookRegistry(
  init: WebhookRegistryInit,
): (components: WebhookRegistryComponents) => WebhookRegistry {
  return ({ db, notify, clock, log }) => {
    const { events } = notify;
    const running = new Map<string, Running>();

    const run = (row: Row, from: number): void => {
      const selection = notify.select(ownerPrincipal, requestOf(row));
      const state: Running = {
        row,
        delivered: 0,
        givenUp: 0,
        lastError: undefined,
        end: notify.webhooks.add({
          url: row.url,
          secret: init.secretOf(row.id),
          selection,
          from,
          onReport: report => told(state, report),
        }),
      };
      running.set(row.id, state);
    };
    const told = async (state: Running, report: DeliveryReport): Promise<void> => {
      state.lastError = report.error;
      if (report.result === "retrying") return;
      state[report.result === "accepted" ? "delivered" : "givenUp"] += report.events;
      await db
        .updateTable("notify_webhooks")
        .set({ epoch: report.epoch, at_offset: report.offset })
        .where("id", "=", state.row.id)
        .execute();
    };

    return {
      name: "webhooks",
      async start() {
        const rows = await db.selectFrom("notify_webhooks").selectAll().orderBy("created_at_ms").execute();
        for (const row of rows) {
          const gap = events.gapAfter(row.epoch, row.at_offset);
          if (gap !== undefined) log.warn({ webhook: row.id, gap }, "a webhook goes on with what comes next");
          try {
            run(row, gap === undefined ? row.at_offset + 1 : events.nextOffset);
          } catch (err) {
            log.error({ webhook: row.id, err }, "a webhook cannot go on");
          }
        }
      },
      async stop() {
        await Promise.all([...running.values()].map(({ end }) => end()));
        running.clear();
      },
      async add(request) {
        const url = checkedUrl(request.url);
        const unknown = (request.types ?? []).filter(type => !isEventType(type));
        if (unknown.length > 0) {
          throw new CidcastError("INVALID_REQUEST", `Not types that events have: ${unknown.join(", ")}`);
        }
        const row: Row = {
          id: randomUUID(),
          url,
          types: JSON.stringify(request.types ?? []),
          filter: request.filter ?? null,
          created_at_ms: clock.now(),
          epoch: events.epoch,
          at_offset: events.nextOffset - 1,
        };
        // First the place among all and the filter: what cannot run is not kept.
        run(row, events.nextOffset);
        try {
          await db.insertInto("notify_webhooks").values(row).execute();
        } catch (error) {
          await running.get(row.id)?.end();
          running.delete(row.id);
          throw error;
        }
        return { webhook: shown(running.get(row.id), row), secret: init.secretOf(row.id) };
      },
      list: () => [...running.values()].map(state => shown(state, state.row)),
      async remove(id) {
        const state = running.get(id);
        if (state === undefined) throw new CidcastError("NOT_FOUND", `There is no webhook ${id}`);
        await db.deleteFrom("notify_webhooks").where("id", "=", id).execute();
        running.delete(id);
        await state.end();
      },
    };
  };
}

function requestOf(row: Row): { readonly types: readonly string[]; readonly filter: string | undefined } {
  // Written by this file alone.
  return { types: JSON.parse(row.types) as string[], filter: row.filter ?? undefined };
}

function shown(state: Running | undefined, row: Row): Webhook {
  return {
    id: row.id,
    url: row.url,
    ...requestOf(row),
    createdAtMs: row.created_at_ms,
    delivered: state?.delivered ?? 0,
    givenUp: state?.givenUp ?? 0,
    lastError: state?.lastError,
  };
}

/** Names and passwords in a URL would be shown to whoever lists webhooks. */
function checkedUrl(text: string): string {
  const url = URL.parse(text);
  if (url === null || !/^https?:$/.test(url.protocol)) {
    throw new CidcastError("INVALID_REQUEST", "A webhook needs an http or https URL");
  }
  if (url.username !== "" || url.password !== "") {
    throw new CidcastError("INVALID_REQUEST", "The URL of a webhook holds no name and no password");
  }
  return url.href;
}
