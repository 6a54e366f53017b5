import type { CID } from "multiformats/cid";
import { type AbortOptions, anySignal, CidcastError } from "../../core/index.ts";
import { DIRECTORY_TYPE, sniff } from "../add/content-type.ts";
import { DAG_CBOR, parseCid } from "../dag/cid.ts";
import { mayHaveLinks } from "../dag/links.ts";
import { walkDag } from "../dag/walk.ts";
import { PIN_FETCH_CONCURRENCY, PIN_PROGRESS_INTERVAL_MS, SNIFF_BYTES } from "../limits.ts";
import type { ChangeOptions, Pin } from "../types.ts";
import type { ContentContext } from "./context.ts";
import { checkPinName } from "./pin-name.ts";
import { Pool } from "../dag/pool.ts";
import { contentSize, kindOf, openFile } from "./read.ts";

/** Content type of structured data. @see https://www.iana.org/assignments/media-types/application/vnd.ipld.dag-cbor */
const DAG_CBOR_TYPE = "application/vnd.ipld.dag-cbor";

export type PinOptions = ChangeOptions & { readonly name?: string };

/** Pins a DAG: fetches what is missing, then writes record and pin. */
export async function pinDag(context: ContentContext, text: string, options: PinOptions): Promise<Pin> {
  const { holds, store, events } = context;
  const name = options.name ?? "";
  checkPinName(name);
  const root = parseCid(text);
  const cid = root.toString();
  context.denylist.check(root);
  const before = (await context.records.pins({ cid })).find(pin => pin.name === name);
  using _hold = holds.hold(root);
  using _guard = store.guard();
  events.publish("pin_status_changed", { cid, status: "pinning" });
  try {
    const fetched = await fetchDag(context, root, options);
    const pin = before ?? (await writePin(context, root, name, options));
    if (fetched.blocks > 0) events.publish("content_retrieved", { cid, size: fetched.bytes });
    if (before === undefined) events.publish("pin_added", { cid, name });
    events.publish("pin_status_changed", { cid, status: "pinned" });
    return pin;
  } catch (error) {
    events.publish("pin_status_changed", { cid, status: "failed" });
    throw error;
  }
}

/** Takes pins away: that of the name, or all of the CID's. */
export async function unpinDag(context: ContentContext, text: string, options: PinOptions): Promise<void> {
  const { records, events } = context;
  options.signal?.throwIfAborted();
  const cid = parseCid(text).toString();
  const there = await records.pins({ cid });
  const going = options.name === undefined ? there : there.filter(pin => pin.name === options.name);
  if (going.length === 0) {
    const under = options.name === undefined ? "" : ` under “${options.name}”`;
    throw new CidcastError("PIN_NOT_FOUND", `${cid} is not pinned${under}`);
  }
  for (const { name } of going) {
    if (await records.unpin(cid, name)) events.publish("pin_removed", { cid, name });
  }
  if (going.length === there.length) events.publish("pin_status_changed", { cid, status: "unpinned" });
}

/** Brings here what is missing of a DAG, and keeps all of it from a collection that runs meanwhile. */
async function fetchDag(
  context: ContentContext,
  root: CID,
  options: AbortOptions,
): Promise<{ readonly blocks: number; readonly bytes: number }> {
  const { blocks, store, events, clock } = context;
  const cid = root.toString();
  const seen = store.newSet();
  const stop = new AbortController();
  const signal = anySignal(options.signal, stop.signal) ?? stop.signal;
  const pool = new Pool(PIN_FETCH_CONCURRENCY);
  const fetched = { blocks: 0, bytes: 0 };
  let toldAtMs = Number.NEGATIVE_INFINITY;
  const fetch = async (missing: CID): Promise<Uint8Array> => {
    const bytes = await blocks.block(missing, { signal, root: cid });
    fetched.blocks++;
    fetched.bytes += bytes.byteLength;
    seen.add(missing);
    if (clock.monotonicMs() - toldAtMs >= PIN_PROGRESS_INTERVAL_MS) {
      toldAtMs = clock.monotonicMs();
      events.publish("pin_progress", { cid, ...fetched });
    }
    return bytes;
  };
  try {
    await walkDag(root, {
      signal,
      visit: async step => {
        if (await blocks.touch(step.cid)) return seen.add(step.cid);
        if (mayHaveLinks(step.cid)) return !seen.has(step.cid);
        await pool.start(() => fetch(step.cid));
        return false;
      },
      read: async cid =>
        (await store.has(cid)) ? blocks.block(cid, { signal, root: root.toString() }) : fetch(cid),
    });
    await pool.drain();
    return fetched;
  } finally {
    stop.abort(new CidcastError("ABORTED", "The pin has ended"));
    await pool.settle();
  }
}

/** Size and type of a root for its record. Structured data is no file: its own block is all there is to tell of. */
export async function describeRoot(
  context: ContentContext,
  root: CID,
  options: PinOptions,
): Promise<{ readonly size: number; readonly contentType: string }> {
  if (root.code === DAG_CBOR) {
    return { size: (await context.blocks.block(root, options)).byteLength, contentType: DAG_CBOR_TYPE };
  }
  const size = await contentSize(context, root, options);
  return { size, contentType: await typeOfRoot(context, root, options.name ?? "", options) };
}

async function writePin(
  context: ContentContext,
  root: CID,
  name: string,
  options: AbortOptions,
): Promise<Pin> {
  const { records, clock, events } = context;
  const cid = root.toString();
  const record = {
    cid,
    name: name === "" ? undefined : name,
    ...(await describeRoot(context, root, { ...options, name })),
    addedAtMs: clock.now(),
  };
  const known = await records.record(cid);
  const saved = await records.save({ record: known ?? record, pin: name });
  if (saved.added) {
    const { size, contentType } = saved.record;
    events.publish("content_added", { cid, name: record.name, size, contentType });
  }
  return { cid, name, pinnedAtMs: record.addedAtMs };
}

async function typeOfRoot(
  context: ContentContext,
  root: CID,
  name: string,
  options: AbortOptions,
): Promise<string> {
  if ((await kindOf(context, root, options)) === "directory") return DIRECTORY_TYPE;
  await using file = await openFile(context, root.toString(), options);
  return sniff(await file.read(0, Math.min(SNIFF_BYTES, file.size), options), { name });
}
