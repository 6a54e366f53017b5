import {
  ACTIONS,
  CLOSE_CODES,
  type Filters,
  isNotificationType,
  MAX_CLIENT_FRAME_CHARS,
  MAX_HISTORY_EVENTS,
  type Request,
  requestSchema,
  type SubscribeRequest,
} from "@cidcast/protocols/notifications";
import { CidcastError, toCidcastError } from "../../core/index.ts";
import {
  ALL_TOPICS,
  type Batch,
  createSelection,
  notificationOf,
  type Selection,
  type Sink,
  type Subscriber,
} from "../fanout/index.ts";
import { FLUSH_MS, MAX_HISTORY_CHARS, MAX_REFUSED, REQUEST_BURST, REQUESTS_PER_SECOND } from "../limits.ts";
import type { Lost, SocketConnection, SocketInit } from "../types.ts";
import { createBudget } from "./budget.ts";
import type { NotificationShared } from "./shared.ts";

const DEFAULT_HISTORY_EVENTS = 100;

type Fields = Readonly<Record<string, unknown>>;

/** One client of the notification protocol. */
export class NotificationConnection implements SocketConnection, Sink {
  readonly id: string;
  readonly #socket: SocketInit;
  readonly #shared: NotificationShared;
  readonly #released: () => void;
  readonly #subscriber: Subscriber;
  readonly #audienceClass: string;
  readonly #connectedAtMs: number;
  #lastActivityMs: number;
  #budget: ReturnType<typeof createBudget> | undefined;
  #refused = 0;
  #topics: ReadonlySet<string> = new Set();
  #filters: Filters = {};
  #filter: string | undefined;
  #flushMs = FLUSH_MS;
  #open = true;

  constructor(socket: SocketInit, shared: NotificationShared, serial: number, released: () => void) {
    this.#socket = socket;
    this.#shared = shared;
    this.#released = released;
    this.#connectedAtMs = shared.clock.now();
    this.#lastActivityMs = this.#connectedAtMs;
    this.id = `conn_${Math.floor(this.#connectedAtMs)}_${serial}`;
    this.#audienceClass = shared.audience.classOf(socket.principal);
    this.#subscriber = shared.fanout.subscribe(this);
  }

  greet(available: readonly string[]): void {
    this.#reply("welcome", {
      message: "Connected to IPFS notification service",
      connection_id: this.id,
      available_notifications: available,
      ...this.#place(),
    });
  }

  receive(text: string): void {
    if (!this.#open) return;
    this.#lastActivityMs = this.#shared.clock.now();
    if (!this.#admitted()) return;
    try {
      const request = this.#parse(text);
      if (request !== undefined) this.#handle(request);
    } catch (error) {
      const known = toCidcastError(error);
      if (known.code === "INTERNAL") this.#shared.log.error({ err: error }, "a notification request failed");
      this.#error(known.message, known.code);
    }
  }

  drained(): void {
    this.#subscriber.pump();
  }

  close(): void {
    if (!this.#open) return;
    this.#open = false;
    this.#count(new Set());
    this.#subscriber.close();
    this.#released();
  }

  /** Ends the connection from this side. */
  end(code: number, reason: string): void {
    this.close();
    this.#socket.close(code, reason);
  }

  /** Sends what goes to everybody, unless this one does not read. */
  tell(text: string, frame: Buffer): void {
    if (this.#socket.sendFrames === undefined) this.#socket.send(text);
    else this.#socket.sendFrames(frame);
  }

  /** Says where the log is; `offset` is what this client has been given, so that it can resume there. */
  heartbeat(make: (fields: Fields) => string): void {
    if (this.#socket.bufferedBytes() === 0) this.#socket.send(make({ offset: this.#given() }));
  }

  write(batch: Batch): void {
    if (this.#socket.sendFrames !== undefined) this.#socket.sendFrames(batch.frames());
    else for (const text of batch.texts()) this.#socket.send(text);
  }

  bufferedBytes(): number {
    return this.#socket.bufferedBytes();
  }

  lost(lost: Lost): void {
    this.#shared.counters.dropped.add();
    this.#reply("events_dropped", {
      from_offset: lost.fromOffset,
      to_offset: lost.toOffset,
      reason: "this client reads more slowly than events come",
      ...this.#place(lost.toOffset),
    });
  }

  giveUp(reason: string): void {
    this.#shared.counters.disconnected.add(1, { reason: "slow" });
    this.end(CLOSE_CODES.SLOW_CONSUMER, reason);
  }

  #parse(text: string): Request | undefined {
    if (text.length > MAX_CLIENT_FRAME_CHARS) {
      throw new CidcastError(
        "PAYLOAD_TOO_LARGE",
        `A request has at most ${MAX_CLIENT_FRAME_CHARS} characters`,
      );
    }
    let value: unknown;
    try {
      value = JSON.parse(text);
    } catch {
      // Told to the client in the words of the protocol.
      this.#error("Invalid JSON message", "INVALID_REQUEST");
      return undefined;
    }
    const action: unknown =
      typeof value === "object" && value !== null && "action" in value ? value.action : undefined;
    if (action === undefined || action === null || action === "") {
      this.#error("Missing 'action' field", "INVALID_REQUEST");
      return undefined;
    }
    if (typeof action !== "string" || !ACTIONS.has(action)) {
      this.#error(
        `Unknown action: ${JSON.stringify(action).slice(0, 100).replaceAll('"', "")}`,
        "INVALID_REQUEST",
      );
      return undefined;
    }
    const parsed = requestSchema.safeParse(value);
    if (parsed.success) return parsed.data;
    const [issue] = parsed.error.issues;
    this.#error(
      `Invalid ${action}: ${issue?.path.join(".") ?? ""} ${issue?.message ?? ""}`,
      "INVALID_REQUEST",
    );
    return undefined;
  }

  #handle(request: Request): void {
    switch (request.action) {
      case "subscribe":
        return this.#subscribe(request);
      case "unsubscribe":
        return this.#unsubscribe(request.notification_types ?? []);
      case "get_history":
        return this.#history(request.limit ?? DEFAULT_HISTORY_EVENTS, request.notification_type ?? undefined);
      case "ping":
        return this.#reply("pong", this.#place(this.#given()));
      case "get_metrics":
        return this.#metrics();
      case "get_info":
        return this.#info();
    }
  }

  #subscribe(request: SubscribeRequest): void {
    const named = request.notification_types ?? [];
    const invalid = named.filter(type => !isNotificationType(type));
    const topics = new Set([...this.#topics, ...named.filter(isNotificationType)]);
    const filters = request.filters ?? this.#filters;
    const filter = request.filter === undefined ? this.#filter : (request.filter ?? undefined);
    const flushMs = request.flush_ms ?? this.#flushMs;
    // Compiled before anything changes: a filter that cannot be read leaves the subscription as it was.
    const selection = this.#selection(topics, { filters, filter, flushMs });
    [this.#filters, this.#filter, this.#flushMs] = [filters, filter, flushMs];
    const before = this.#given();
    this.#count(topics);
    const { resume } = request;
    const gap = resume ? this.#shared.events.gapAfter(resume.epoch, resume.offset) : undefined;
    const from = resume && gap === undefined ? resume.offset + 1 : undefined;
    if (resume) this.#shared.counters.resumed.add(1, { result: gap === undefined ? "resumed" : "resync" });
    const reply = (): void => {
      this.#reply("subscription_confirmed", {
        notification_types: [...topics],
        filters,
        ...(filter === undefined ? {} : { filter }),
        invalid_types: invalid,
        resumed: from !== undefined,
        ...this.#place(from === undefined ? before : from - 1),
      });
      if (gap !== undefined) this.#reply("resync_required", { reason: gap, ...this.#place() });
    };
    this.#shared.events.commit();
    this.#subscriber.select(selection, reply, gap === undefined ? from : this.#shared.events.nextOffset);
  }

  #unsubscribe(named: readonly string[]): void {
    const topics = named.includes(ALL_TOPICS)
      ? new Set<string>()
      : new Set([...this.#topics].filter(topic => !named.includes(topic)));
    const selection = this.#selection(topics, {
      filters: this.#filters,
      filter: this.#filter,
      flushMs: this.#flushMs,
    });
    this.#count(topics);
    this.#subscriber.select(selection, () =>
      this.#reply("unsubscription_confirmed", { notification_types: [...topics] }),
    );
  }

  #history(limit: number, topic: string | undefined): void {
    const { audience, events } = this.#shared;
    events.commit();
    const found = events.recent(
      Math.min(limit, MAX_HISTORY_EVENTS),
      event =>
        audience.maySee(this.#audienceClass, event) &&
        (topic === undefined || topic === ALL_TOPICS || event.topic === topic),
    );
    const kept: Fields[] = [];
    let chars = 0;
    for (const event of found.toReversed()) {
      const notification = notificationOf(event);
      chars += JSON.stringify(notification).length;
      if (chars > MAX_HISTORY_CHARS) break;
      kept.push(notification);
    }
    this.#reply("history", { events: kept.toReversed(), count: kept.length });
  }

  #metrics(): void {
    const { fanout, subscriptions, clock } = this.#shared;
    const { total, active } = this.#shared.totals();
    this.#reply("metrics", {
      metrics: {
        connections_total: total,
        active_connections: active,
        notifications_sent: fanout.delivered,
        subscriptions_by_type: Object.fromEntries(subscriptions),
        timestamp: clock.now() / 1000,
      },
    });
  }

  #info(): void {
    this.#reply("connection_info", {
      info: {
        success: true,
        connection_id: this.id,
        subscriptions: [...this.#topics],
        filters: this.#filters,
        ...(this.#filter === undefined ? {} : { filter: this.#filter }),
        connected_at: this.#connectedAtMs / 1000,
        last_activity: this.#lastActivityMs / 1000,
        duration: (this.#shared.clock.now() - this.#connectedAtMs) / 1000,
      },
    });
  }

  #selection(
    topics: ReadonlySet<string>,
    wanted: { readonly filters: Filters; readonly filter: string | undefined; readonly flushMs: number },
  ): Selection {
    return createSelection({ topics, ...wanted, audienceClass: this.#audienceClass }, this.#shared.audience);
  }

  /** Keeps the numbers of subscriptions by type in step with this connection's. */
  #count(topics: ReadonlySet<string>): void {
    const { subscriptions } = this.#shared;
    for (const topic of this.#topics) {
      if (topics.has(topic)) continue;
      const left = (subscriptions.get(topic) ?? 1) - 1;
      if (left === 0) subscriptions.delete(topic);
      else subscriptions.set(topic, left);
    }
    for (const topic of topics) {
      if (!this.#topics.has(topic)) subscriptions.set(topic, (subscriptions.get(topic) ?? 0) + 1);
    }
    this.#topics = topics;
  }

  /** False when the client asks too often: told, and closed when it goes on. */
  #admitted(): boolean {
    this.#budget ??= createBudget(
      { burst: REQUEST_BURST, perSecond: REQUESTS_PER_SECOND },
      this.#shared.clock,
    );
    if (this.#budget.take()) return true;
    this.#refused += 1;
    this.#shared.counters.refused.add(1, { reason: "requests" });
    if (this.#refused >= MAX_REFUSED) {
      this.#shared.counters.disconnected.add(1, { reason: "requests" });
      this.end(CLOSE_CODES.TOO_MANY_REQUESTS, "too many requests");
    } else this.#error(`Too many requests: at most ${REQUESTS_PER_SECOND} a second`, "LIMIT_REACHED");
    return false;
  }

  /** The last offset that this client was given or that passed it by. */
  #given(): number {
    const { events } = this.#shared;
    return (this.#topics.size === 0 ? events.nextOffset : this.#subscriber.cursor) - 1;
  }

  #place(offset: number = this.#shared.events.nextOffset - 1): Fields {
    return { epoch: this.#shared.events.epoch, offset };
  }

  #error(error: string, code: string): void {
    this.#reply("error", { error, code });
  }

  #reply(type: string, fields: Fields): void {
    this.#socket.send(JSON.stringify({ type, ...fields, timestamp: this.#shared.clock.now() / 1000 }));
  }
}
