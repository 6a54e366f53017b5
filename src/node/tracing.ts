import { createTracing } from "../telemetry/index.ts";
import type { EventBus, Span, Tracer } from "../core/index.ts";
import { closing } from "./parts.ts";
import type { NodeEvents, Shared } from "./shared.ts";
import { VERSION } from "./version.ts";

/** Traces for a collector, where one is set; without one nothing of it is loaded. */
export async function startTracing(shared: Omit<Shared, "tracer">): Promise<Tracer | undefined> {
  const { config, log, opened, events, parts } = shared;
  const { endpoint, headers, sampleRatio, instance } = config.tracing;
  if (endpoint === undefined) return undefined;
  const { tracer, close } = await createTracing(
    { endpoint, headers, sampleRatio, version: VERSION, instance },
    log,
  );
  opened.push(closing("tracing", close));
  opened.push(closing("traced-events", traceEvents(events, tracer)));
  parts.ready("tracing", false);
  return tracer;
}

/** Work that begins and ends with events: a viewer's join, a transfer. */
function traceEvents(events: EventBus<NodeEvents>, tracer: Tracer): () => void {
  const joins = new Map<string, Span>();
  const transfers = new Map<string, Span>();
  const end = (open: Map<string, Span>, id: string, errorCode?: string): void => {
    open.get(id)?.end(errorCode);
    open.delete(id);
  };
  const ends = [
    events.on("webrtc_connection_created", ({ data: { pc_id: id, cid } }) => {
      joins.set(
        id,
        tracer.start("viewer join", { attributes: { "cidcast.session": id, "cidcast.cid": cid } }),
      );
    }),
    events.on("webrtc_connected", ({ data: { pc_id: id } }) =>
      joins.get(id)?.set({ "cidcast.connected": true }),
    ),
    events.on("webrtc_stream_started", ({ data: { pc_id: id } }) => end(joins, id)),
    events.on("webrtc_connection_closed", ({ data: { pc_id: id } }) => end(joins, id, "CLOSED")),
    events.on("webrtc_error", ({ data: { pc_id: id, code } }) => id !== undefined && end(joins, id, code)),
    events.on("transfer_started", ({ data: { transferId: id, cid } }) => {
      const attributes = { "cidcast.transfer": id, "cidcast.cid": cid };
      transfers.set(id, tracer.start("transfer", { attributes }));
    }),
    events.on("transfer_completed", ({ data: { transferId: id, bytes, method } }) => {
      transfers
        .get(id)
        ?.set({ "cidcast.bytes": bytes, ...(method !== undefined && { "cidcast.method": method }) });
      end(transfers, id);
    }),
    events.on("transfer_failed", ({ data: { transferId: id, code } }) => end(transfers, id, code)),
  ];
  return () => {
    for (const unsubscribe of ends) unsubscribe();
    for (const span of [...joins.values(), ...transfers.values()]) span.end("SHUTTING_DOWN");
  };
}
