import type { EventPublisher } from "../../core/index.ts";

/** What happens to content, as far as a tenant is told: the content domain's own events, by their own names. */
export interface OwnedContentEvents {
  content_added: {
    readonly cid: string;
    readonly name: string | undefined;
    readonly size: number;
    readonly contentType: string;
  };
  content_removed: { readonly cid: string };
  content_retrieved: { readonly cid: string; readonly size: number };
  pin_added: { readonly cid: string; readonly name: string };
  pin_removed: { readonly cid: string; readonly name: string };
  pin_progress: { readonly cid: string; readonly blocks: number; readonly bytes: number };
  pin_status_changed: {
    readonly cid: string;
    readonly status: "pinning" | "pinned" | "failed" | "unpinned";
  };
}

/**
 * Tells a tenant what happens to its content, pins by the tenant's own names. Whether content comes or goes, and whether it
 * is pinned at all, the store says of everybody's content together: of that the view tells by itself, so that what others
 * have never shows in what a tenant hears, or does not.
 */
export function tellTenant(
  events: EventPublisher<OwnedContentEvents>,
  init: { readonly tenantId: string; readonly ownName: (pinName: string) => string },
): EventPublisher<OwnedContentEvents> {
  const { tenantId, ownName } = init;
  const pin = ({ cid, name }: OwnedContentEvents["pin_added"]): OwnedContentEvents["pin_added"] => ({
    cid,
    name: ownName(name),
  });
  const tell: { [K in keyof OwnedContentEvents]: (data: OwnedContentEvents[K]) => void } = {
    content_added: () => undefined,
    content_removed: () => undefined,
    content_retrieved: data => events.publish("content_retrieved", data, { tenantId }),
    pin_added: data => events.publish("pin_added", pin(data), { tenantId }),
    pin_removed: data => events.publish("pin_removed", pin(data), { tenantId }),
    pin_progress: data => events.publish("pin_progress", data, { tenantId }),
    pin_status_changed: data => {
      if (data.status !== "unpinned") events.publish("pin_status_changed", data, { tenantId });
    },
  };
  return { publish: (type, data) => tell[type](data) };
}

/** Keeps what is told until `flush`: for what has to come after something that is known later. */
export function tellLater(events: EventPublisher<OwnedContentEvents>): {
  readonly events: EventPublisher<OwnedContentEvents>;
  readonly flush: () => void;
} {
  const waiting: (() => void)[] = [];
  return {
    events: { publish: (...told) => void waiting.push(() => events.publish(...told)) },
    flush: () => {
      for (const tell of waiting.splice(0)) tell();
    },
  };
}
