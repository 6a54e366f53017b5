import { createHmac } from "node:crypto";
import {
  backoffMs,
  CidcastError,
  type Clock,
  type Logger,
  type Metrics,
  messageOf,
} from "../../core/index.ts";
import { type Fanout, type Followed, notificationOf, type Selection } from "../fanout/index.ts";
import { MAX_WEBHOOKS, WEBHOOK_ATTEMPTS, WEBHOOK_BATCH, WEBHOOK_TIMEOUT_MS } from "../limits.ts";
import type { EventLog } from "../log/index.ts";
import { notifyMetrics } from "../metrics.ts";
import type { LogEvent } from "../types.ts";

const FIRST_RETRY_MS = 500;
const LAST_RETRY_MS = 60_000;

export interface WebhookInit {
  readonly url: string;
  /** Key of the signature, shared with the receiver. */
  readonly secret: string;
  readonly selection: Selection;
  /** Offset to begin at; default: from now. */
  readonly from?: number;
  /** Told how each attempt went; the next begins when it is done. */
  readonly onReport?: (report: DeliveryReport) => Promise<void>;
}

/** How an attempt to deliver events went. */
export interface DeliveryReport {
  readonly result: "accepted" | "retrying" | "given_up";
  readonly events: number;
  readonly epoch: string;
  /** The last event of the request. */
  readonly offset: number;
  /** Why it failed. */
  readonly error: string | undefined;
}

export interface WebhookComponents {
  readonly events: EventLog;
  readonly fanout: Fanout;
  readonly clock: Clock;
  readonly log: Logger;
  readonly metrics: Metrics;
  /** How requests are made; default `fetch`. Whoever lets strangers register webhooks gives one that refuses private addresses. */
  readonly fetch?: typeof fetch;
}

export interface Webhooks extends AsyncDisposable {
  /** Begins to deliver; returns what ends it. `LIMIT_REACHED` beyond the number a node has, `INVALID_REQUEST` for a bad URL. */
  add(init: WebhookInit): () => Promise<void>;
  close(): Promise<void>;
}

/** The header that proves who sent a body: `t=<unix seconds>,v1=<hex HMAC-SHA256 of "t.body">`. */
export function webhookSignature(secret: string, atSeconds: number, body: string): string {
  const mac = createHmac("sha256", secret).update(`${atSeconds}.${body}`).digest("hex");
  return `t=${atSeconds},v1=${mac}`;
}

/** Posts events to URLs: in order, signed, again with the same key until accepted or given up. */
export function createWebhooks(components: WebhookComponents): Webhooks {
  const { events, fanout, clock, log } = components;
  const metrics = notifyMetrics(components.metrics);
  const request = components.fetch ?? fetch;
  const running = new Map<AbortController, Promise<void>>();

  const post = async (init: WebhookInit, batch: WebhookBatch, signal: AbortSignal): Promise<void> => {
    const body = JSON.stringify(batch);
    const atSeconds = Math.floor(clock.now() / 1000);
    const response = await request(init.url, {
      method: "POST",
      body,
      redirect: "error",
      signal: AbortSignal.any([signal, AbortSignal.timeout(WEBHOOK_TIMEOUT_MS)]),
      headers: {
        "content-type": "application/json",
        "idempotency-key": batch.id,
        "cidcast-signature": webhookSignature(init.secret, atSeconds, body),
      },
    });
    await response.body?.cancel();
    if (!response.ok) throw new Error(`the webhook answered ${response.status}`);
  };

  const deliver = async (init: WebhookInit, batch: WebhookBatch, signal: AbortSignal): Promise<void> => {
    const report = async (result: DeliveryReport["result"], error?: string): Promise<void> => {
      const { epoch, offset } = batch;
      await init.onReport?.({ result, events: batch.events.length, epoch, offset, error });
    };
    for (let attempt = 0; !signal.aborted; attempt += 1) {
      try {
        await post(init, batch, signal);
        metrics.webhookRequests.add(1, { result: "accepted" });
        return await report("accepted");
      } catch (err) {
        if (signal.aborted) return;
        metrics.webhookRequests.add(1, { result: "failed" });
        const last = attempt + 1 >= WEBHOOK_ATTEMPTS;
        await report(last ? "given_up" : "retrying", messageOf(err));
        if (last) {
          const { host } = new URL(init.url);
          return log.warn({ host, err: messageOf(err) }, "events for a webhook are given up");
        }
      }
      await pause(clock, backoffMs(attempt, { initialMs: FIRST_RETRY_MS, maxMs: LAST_RETRY_MS }), signal);
    }
  };

  const run = async (init: WebhookInit, signal: AbortSignal): Promise<void> => {
    const from = init.from === undefined ? {} : { from: init.from };
    for await (const page of fanout.follow(init.selection, { ...from, signal })) {
      for (const batch of batches(page, events.epoch)) {
        // Whoever ended this does not want the rest.
        if (signal.aborted) return;
        await deliver(init, batch, signal);
      }
    }
  };

  const end = async (controller: AbortController): Promise<void> => {
    controller.abort();
    await running.get(controller);
    running.delete(controller);
  };
  const close = async (): Promise<void> => {
    await Promise.all([...running.keys()].map(end));
  };
  return {
    add(init) {
      if (!/^https?:$/.test(protocolOf(init.url))) {
        throw new CidcastError("INVALID_REQUEST", `A webhook needs an http or https URL: ${init.url}`);
      }
      if (running.size >= MAX_WEBHOOKS) {
        throw new CidcastError("LIMIT_REACHED", `A node has at most ${MAX_WEBHOOKS} webhooks`);
      }
      const controller = new AbortController();
      const work = run(init, controller.signal).catch((err: unknown) => {
        log.error({ err }, "a webhook stopped");
      });
      running.set(controller, work);
      return () => end(controller);
    },
    close,
    [Symbol.asyncDispose]: close,
  };
}

/** What one request tells. */
interface WebhookBatch {
  readonly id: string;
  readonly epoch: string;
  readonly offset: number;
  readonly lost?: Followed["lost"];
  readonly events: readonly Readonly<Record<string, unknown>>[];
}

/** Requests of a page. The id depends on the events alone, so that a repeated request is recognised. */
function* batches(page: Followed, epoch: string): Generator<WebhookBatch> {
  const lost = page.lost === undefined ? {} : { lost: page.lost };
  for (let at = 0; at === 0 || at < page.events.length; at += WEBHOOK_BATCH) {
    const part: readonly LogEvent[] = page.events.slice(at, at + WEBHOOK_BATCH);
    const last = part.at(-1)?.offset ?? page.offset;
    yield {
      id: `${epoch}:${part[0]?.offset ?? page.offset}-${last}`,
      epoch,
      offset: last,
      ...(at === 0 ? lost : {}),
      events: part.map(notificationOf),
    };
  }
}

async function pause(clock: Clock, ms: number, signal: AbortSignal): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  const cancel = clock.after(ms, resolve);
  const onAbort = (): void => resolve();
  signal.addEventListener("abort", onAbort, { once: true });
  try {
    await promise;
  } finally {
    cancel();
    signal.removeEventListener("abort", onAbort);
  }
}

function protocolOf(url: string): string {
  try {
    return new URL(url).protocol;
  } catch {
    return "";
  }
}
