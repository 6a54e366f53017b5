import type {
  Filters,
  Frame,
  Notification,
  NotificationType,
  Position,
} from "@cidcast/protocols/notifications";
import { frameSchema } from "@cidcast/protocols/notifications";
import { type BackoffInit, createBackoff } from "../backoff.ts";
import { ClientError, errorFromWire, refusalOf } from "../client-error.ts";
import { type NodeAddress, socketUrl } from "../socket-url.ts";
import { createItemQueue } from "./item-queue.ts";

/** Notifications waiting for a reader before the connection is let go; it resumes when they are read. */
export const MAX_WAITING = 10_000;
/** Silence after which the node is asked whether it is there, and again after which it is not, ms. */
const SILENCE_MS = 45_000;
/** Longest wait for the socket and the confirmation, ms. */
const SUBSCRIBE_TIMEOUT_MS = 10_000;

const RECONNECT: BackoffInit = {
  firstMs: 250,
  maxMs: 30_000,
  factor: 2,
  jitter: 0.5,
  maxAttempts: Number.POSITIVE_INFINITY,
};

/** Events may have been missed: what was read before about the node's state is to be read anew. */
export interface Resync {
  readonly type: "resync_required";
  readonly reason: string;
  readonly epoch: string;
  readonly offset: number;
}

/** A word of the node to everybody. */
export type SystemNotification = Extract<Frame, { type: "system_notification" }>;

/** What a subscriber gets. `type` tells which it is. */
export type NotificationItem = Notification | Resync | SystemNotification;

export interface SubscribeInit {
  /** Default: all. */
  readonly types?: readonly NotificationType[];
  readonly filters?: Filters;
  /** Expression of the notification protocol. */
  readonly filter?: string;
  /** Time that the node may gather events, ms; 0: none. */
  readonly flushMs?: number;
  /** The last event of an earlier subscription: what came after it is given first. */
  readonly resume?: Position;
  readonly signal?: AbortSignal;
  /** Default: without end, 0.25 s growing to 30 s. */
  readonly backoff?: BackoffInit;
  /** Told each time that the connection comes and goes. */
  readonly onState?: (state: SubscriptionState) => void;
}

export type SubscriptionState = "connecting" | "subscribed" | "waiting" | "closed";

/** A subscription that lives through lost connections. Iterate it, unless it was given a callback. */
export interface NotificationSubscription extends AsyncIterable<NotificationItem>, Disposable {
  readonly state: SubscriptionState;
  /** The last event that was given, to resume at. */
  readonly position: Position | undefined;
  /** Resolves when the node has confirmed for the first time; rejects when it refuses or everything is closed before. */
  readonly ready: Promise<void>;
  close(): void;
}

/** Subscribes. Nothing is thrown here: `ready` and the iteration reject with {@link ClientError}. */
export function subscribeToNotifications(
  node: NodeAddress,
  init: SubscribeInit = {},
  callback?: (item: NotificationItem) => void,
): NotificationSubscription {
  return new Subscription(node, init, callback);
}

class Subscription implements NotificationSubscription {
  readonly ready: Promise<void>;
  readonly #node: NodeAddress;
  readonly #init: SubscribeInit;
  readonly #callback: ((item: NotificationItem) => void) | undefined;
  readonly #queue = createItemQueue<NotificationItem>({
    onEmpty: () => {
      if (this.#full) this.#connect();
    },
    onReturn: () => this.close(),
  });
  readonly #backoff;
  readonly #confirmed = Promise.withResolvers<void>();
  #state: SubscriptionState = "connecting";
  #position: Position | undefined;
  #socket: WebSocket | undefined;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #full = false;

  constructor(
    node: NodeAddress,
    init: SubscribeInit,
    callback: ((item: NotificationItem) => void) | undefined,
  ) {
    this.#node = node;
    this.#init = init;
    this.#callback = callback;
    this.#position = init.resume;
    this.#backoff = createBackoff(init.backoff ?? RECONNECT);
    this.ready = this.#confirmed.promise;
    // Whoever does not wait for it is told by the iteration.
    this.ready.catch(() => undefined);
    init.signal?.addEventListener("abort", this.#onAbort, { once: true });
    if (init.signal?.aborted === true) this.#onAbort();
    else this.#connect();
  }

  get state(): SubscriptionState {
    return this.#state;
  }

  get position(): Position | undefined {
    return this.#position;
  }

  close(): void {
    this.#finish(undefined);
  }

  [Symbol.asyncIterator](): AsyncIterator<NotificationItem> {
    return this.#queue;
  }

  [Symbol.dispose](): void {
    this.close();
  }

  readonly #onAbort = (): void =>
    this.#finish(
      new ClientError("ABORTED", "The subscription was ended", { cause: this.#init.signal?.reason }),
    );

  #connect(): void {
    if (this.#state === "closed") return;
    this.#full = false;
    this.#setState("connecting");
    const socket = new WebSocket(socketUrl(this.#node, "/ws/notifications"));
    this.#socket = socket;
    this.#expect(SUBSCRIBE_TIMEOUT_MS, () => this.#lose(socket));
    socket.addEventListener("open", () => socket.send(JSON.stringify(this.#request())));
    socket.addEventListener("message", event => {
      if (this.#socket === socket) this.#receive(event.data, socket);
    });
    socket.addEventListener("close", event => {
      const refused = this.#socket === socket ? refusalOf(event) : undefined;
      if (refused === undefined) this.#lose(socket);
      else this.#finish(refused);
    });
    // A close follows each error.
    socket.addEventListener("error", () => undefined);
  }

  #request(): Readonly<Record<string, unknown>> {
    const { types = ["all_events"], filters, filter, flushMs } = this.#init;
    return {
      action: "subscribe",
      notification_types: types,
      filters,
      filter,
      flush_ms: flushMs,
      resume: this.#position,
    };
  }

  #receive(data: unknown, socket: WebSocket): void {
    const frame = parseFrame(data);
    if (frame === undefined) return;
    if (this.#state === "subscribed") this.#listen(socket);
    switch (frame.type) {
      case "notification":
        return this.#take(frame);
      case "subscription_confirmed":
        return this.#confirm(frame, socket);
      case "resync_required":
        return this.#resync(frame.reason, frame);
      case "events_dropped":
        return this.#resync(frame.reason, frame);
      case "system_notification":
        if (this.#position !== undefined && frame.epoch !== this.#position.epoch) {
          this.#resync("the log has been started anew", frame);
        }
        return this.#give(frame);
      case "pong":
      case "heartbeat":
        return this.#advance(frame);
      case "error":
        return this.#refused(frame);
      default:
        return undefined;
    }
  }

  #confirm(frame: Extract<Frame, { type: "subscription_confirmed" }>, socket: WebSocket): void {
    if (frame.invalid_types.length > 0) {
      return this.#finish(
        new ClientError("INVALID_REQUEST", `The node knows no type ${frame.invalid_types.join(", ")}`),
      );
    }
    this.#backoff.reset();
    // Without a resumption this is where the subscription begins; a failed one is told by the frame after this.
    if (frame.resumed || this.#position === undefined) {
      this.#position = { epoch: frame.epoch, offset: frame.offset };
    }
    this.#setState("subscribed");
    this.#confirmed.resolve();
    return this.#listen(socket);
  }

  #take(frame: Notification): void {
    const position = this.#position;
    if (position === undefined || frame.offset <= position.offset) return;
    this.#position = { epoch: position.epoch, offset: frame.offset };
    this.#give(frame);
  }

  #resync(reason: string, at: Position): void {
    const { epoch, offset } = at;
    this.#position = { epoch, offset };
    this.#give({ type: "resync_required", reason, epoch, offset });
  }

  #advance(at: Position): void {
    const position = this.#position;
    if (position?.epoch === at.epoch && at.offset > position.offset) {
      this.#position = { epoch: at.epoch, offset: at.offset };
    }
  }

  #refused(frame: Extract<Frame, { type: "error" }>): void {
    const error = errorFromWire(frame.code, frame.error);
    // Asking too often passes; anything else would be refused again.
    if (error.code === "LIMIT_REACHED") this.#socket?.close();
    else this.#finish(error);
  }

  #give(item: NotificationItem): void {
    if (this.#callback !== undefined) return this.#callback(item);
    this.#queue.push(item);
    if (this.#queue.size < MAX_WAITING) return undefined;
    // The node's log keeps the rest until the reader has come so far.
    this.#full = true;
    return this.#drop();
  }

  /** Sees to it that silence is noticed. */
  #listen(socket: WebSocket): void {
    this.#expect(SILENCE_MS, () => {
      if (socket.readyState === WebSocket.OPEN) socket.send('{"action":"ping"}');
      this.#expect(SILENCE_MS, () => this.#lose(socket));
    });
  }

  #expect(ms: number, otherwise: () => void): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(otherwise, ms);
  }

  /** The connection is gone: try again after a while. */
  #lose(socket: WebSocket): void {
    if (this.#socket !== socket) return;
    this.#drop();
    const waitMs = this.#backoff.next();
    if (waitMs === undefined) {
      return this.#finish(new ClientError("NODE_UNREACHABLE", `No node answers at ${this.#node.url}`));
    }
    this.#timer = setTimeout(() => this.#connect(), waitMs);
    return undefined;
  }

  #drop(): void {
    clearTimeout(this.#timer);
    const socket = this.#socket;
    this.#socket = undefined;
    socket?.close();
    if (this.#state !== "closed") this.#setState("waiting");
  }

  #finish(error: ClientError | undefined): void {
    if (this.#state === "closed") return;
    this.#setState("closed");
    this.#drop();
    this.#init.signal?.removeEventListener("abort", this.#onAbort);
    this.#confirmed.reject(error ?? new ClientError("ABORTED", "The subscription was closed"));
    this.#queue.end(error);
  }

  #setState(state: SubscriptionState): void {
    if (this.#state === state) return;
    this.#state = state;
    this.#init.onState?.(state);
  }
}

function parseFrame(data: unknown): Frame | undefined {
  if (typeof data !== "string") return undefined;
  try {
    const parsed = frameSchema.safeParse(JSON.parse(data));
    return parsed.success ? parsed.data : undefined;
  } catch {
    // Not JSON: not of this protocol.
    return undefined;
  }
}
