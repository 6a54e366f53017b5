import { type EventType, PAYLOADS } from "@cidcast/protocols/notifications";
import type { EventBus, Logger, Unsubscribe } from "../core/index.ts";
import type { EventLog } from "./log/index.ts";
import type { EmitOptions } from "./types.ts";

type Fields = Readonly<Record<string, unknown>>;

/** How one event of the node's bus becomes a notification. */
export interface Translation {
  readonly type: EventType;
  /** Makes the payload; default: the fields in snake_case. */
  readonly data?: (fields: Fields) => Fields;
  /** Field that tells which earlier event this one replaces for subscribers that are behind. */
  readonly latestBy?: string;
}

/** Fields renamed from camelCase to snake_case: what the wire of this family uses. */
export function snakeCase(fields: Fields): Fields {
  return Object.fromEntries(
    Object.entries(fields).map(([key, value]) => [
      key.replaceAll(/[A-Z]/g, c => `_${c.toLowerCase()}`),
      value,
    ]),
  );
}

/** Events as a bus publishes them, whatever their map. */
export type AnyBus<M> = Pick<EventBus<M>, "onAny">;

/** Writes the bus's events to the log, from now on. An event whose payload does not fit is logged, not sent. */
export function joinNodeEvents<M>(
  bus: AnyBus<M>,
  components: {
    readonly events: EventLog;
    readonly log: Logger;
    /** The notification of each event; events that are not in it stay inside. */
    readonly table: Readonly<Record<string, Translation>>;
  },
): Unsubscribe {
  const { table } = components;
  return bus.onAny(event => {
    const name = String(event.type);
    const translation = Object.hasOwn(table, name) ? table[name] : undefined;
    if (translation === undefined) return;
    // Payloads of the bus are plain objects; the schema below checks what comes of them.
    const fields = event.data as Fields;
    const parsed = PAYLOADS[translation.type].safeParse((translation.data ?? snakeCase)(fields));
    if (!parsed.success) {
      components.log.error({ type: name, err: parsed.error }, "an event does not fit its notification");
      return;
    }
    components.events.append(
      translation.type,
      parsed.data,
      optionsOf(translation, parsed.data, event.tenantId),
    );
  });
}

function optionsOf(translation: Translation, data: Fields, tenantId: string | undefined): EmitOptions {
  const key = translation.latestBy;
  return {
    ...(key === undefined ? {} : { latestKey: JSON.stringify(data[key] ?? key) }),
    ...(tenantId === undefined ? {} : { tenantId }),
  };
}
