import { describe, expect, test } from "vitest";
import {
  anySignal,
  backoffMs,
  CidcastError,
  EventBus,
  isAbortError,
  type Logger,
  ownerPrincipal,
  type Principal,
  raceSignal,
  SingleFlight,
  scopeAuthoriser,
  silentLogger,
  startAll,
  stopAll,
  toCidcastError,
  VirtualClock,
  withTimeout,
} from "./index.ts";

interface Events {
  opened: { readonly name: string };
  closed: { readonly name: string };
}

/** A logger that remembers what it was told. */
function rememberingLogger(): { readonly log: Logger; readonly messages: string[] } {
  const messages: string[] = [];
  const log: Logger = {
    ...silentLogger,
    warn: (_, m) => messages.push(m),
    error: (_, m) => messages.push(m),
  };
  return { log, messages };
}

describe("EventBus", () => {
  test("tells those who asked for the type, and those who asked for all, in order", () => {
    const bus = new EventBus<Events>(silentLogger);
    const heard: string[] = [];
    bus.on("opened", event => heard.push(`opened ${event.data.name}`));
    const off = bus.onAny(event => heard.push(`any ${event.type}`));
    bus.publish("opened", { name: "a" });
    bus.publish("closed", { name: "a" });
    off();
    bus.publish("closed", { name: "b" });
    expect(heard).toEqual(["opened a", "any opened", "any closed"]);
  });

  test("a listener that throws is logged and does not silence the others", () => {
    const { log, messages } = rememberingLogger();
    const bus = new EventBus<Events>(log);
    const heard: string[] = [];
    bus.on("opened", () => {
      throw new Error("broken");
    });
    bus.on("opened", event => heard.push(event.data.name));
    bus.publish("opened", { name: "a" });
    expect(heard).toEqual(["a"]);
    expect(messages).toEqual(["event listener failed"]);
  });

  test("next() waits for the event it wants and leaves no listener behind", async () => {
    const bus = new EventBus<Events>(silentLogger);
    const waiting = bus.next("opened", { accept: data => data.name === "b" });
    bus.publish("opened", { name: "a" });
    bus.publish("opened", { name: "b" });
    await expect(waiting).resolves.toEqual({ name: "b" });
    const controller = new AbortController();
    const aborted = bus.next("opened", { signal: controller.signal });
    controller.abort(new Error("enough"));
    await expect(aborted).rejects.toThrow("enough");
  });
});

describe("lifecycle", () => {
  const service = (name: string, seen: string[], fail?: "start" | "stop") => ({
    name,
    start: async () => {
      if (fail === "start") throw new Error(`${name} cannot start`);
      seen.push(`start ${name}`);
    },
    stop: async () => {
      seen.push(`stop ${name}`);
      if (fail === "stop") throw new Error(`${name} cannot stop`);
    },
  });

  test("what has started is stopped when a later service fails to start", async () => {
    const seen: string[] = [];
    const services = [service("a", seen), service("b", seen), service("c", seen, "start")];
    await expect(startAll(services, silentLogger)).rejects.toThrow("c cannot start");
    expect(seen).toEqual(["start a", "start b", "stop b", "stop a"]);
  });

  test("one service that fails or hangs does not keep the others open", async () => {
    const { log, messages } = rememberingLogger();
    const seen: string[] = [];
    const hanging = { name: "h", start: async () => {}, stop: () => new Promise<void>(() => {}) };
    await stopAll([service("a", seen), hanging, service("b", seen, "stop")], log, 1);
    expect(seen).toEqual(["stop b", "stop a"]);
    expect(messages).toEqual(["service failed to stop", "service did not stop in time"]);
  });
});

describe("waiting", () => {
  test("withTimeout rejects with TIMEOUT and aborts the work", async () => {
    let aborted = false;
    const work = (signal: AbortSignal) =>
      new Promise<never>(() => signal.addEventListener("abort", () => (aborted = true)));
    await expect(withTimeout(1, "the work", work)).rejects.toMatchObject({ code: "TIMEOUT" });
    expect(aborted).toBe(true);
  });

  test("raceSignal rejects at once with the signal's reason", async () => {
    const never = new Promise<void>(() => {});
    await expect(raceSignal(never, AbortSignal.abort(new Error("gone")))).rejects.toThrow("gone");
    await expect(raceSignal(Promise.resolve(7), new AbortController().signal)).resolves.toBe(7);
  });

  test("anySignal aborts with the first of them", () => {
    const [a, b] = [new AbortController(), new AbortController()];
    const signal = anySignal(undefined, a.signal, b.signal);
    b.abort(new Error("b"));
    expect(signal?.reason).toMatchObject({ message: "b" });
    expect(anySignal(undefined)).toBeUndefined();
  });

  test("backoff grows, is capped and stays within its jitter", () => {
    const init = { initialMs: 100, maxMs: 1000, jitter: 0.2 };
    expect([0, 1, 2, 9].map(n => backoffMs(n, { ...init, random: () => 0.5 }))).toEqual([
      100, 200, 400, 1000,
    ]);
    expect(backoffMs(0, { ...init, random: () => 0 })).toBe(80);
    expect(backoffMs(9, { ...init, random: () => 0.999 })).toBe(1000);
  });
});

describe("VirtualClock", () => {
  test("runs what falls due, in order, when time is moved on", () => {
    const clock = new VirtualClock(1000);
    const seen: string[] = [];
    clock.after(20, () => seen.push(`once at ${clock.now()}`));
    const cancel = clock.every(15, () => seen.push(`every at ${clock.now()}`));
    clock.advance(40);
    cancel();
    clock.advance(100);
    expect(seen).toEqual(["every at 1015", "once at 1020", "every at 1030"]);
    expect(clock.monotonicMs()).toBe(1140);
  });
});

describe("SingleFlight", () => {
  test("callers of one key share one piece of work; the next caller after it starts anew", async () => {
    const flight = new SingleFlight<string, number>();
    let runs = 0;
    const work = async () => ++runs;
    expect(await Promise.all([flight.run("a", work), flight.run("a", work), flight.run("b", work)])).toEqual([
      1, 1, 2,
    ]);
    expect(await flight.run("a", work)).toBe(3);
    expect(flight.size).toBe(0);
  });
});

describe("errors", () => {
  test("anything thrown becomes one of ours, with the cause kept", () => {
    const own = new CidcastError("BUSY", "later", { retryAfterSeconds: 2 });
    expect(toCidcastError(own)).toBe(own);
    expect(own.status).toBe(503);
    const abort = toCidcastError(AbortSignal.abort().reason);
    expect([abort.code, isAbortError(abort)]).toEqual(["ABORTED", true]);
    expect(toCidcastError("text")).toMatchObject({ code: "INTERNAL", message: "text", cause: "text" });
  });
});

describe("scopeAuthoriser", () => {
  const principal = (kind: Principal["kind"], ...scopes: string[]): Principal => ({
    kind,
    id: "somebody",
    door: "http",
    scopes: new Set(scopes),
  });

  test("lets act who holds the scope or all of them, and tells the others why not", () => {
    expect(() => scopeAuthoriser.authorise(ownerPrincipal, "content:remove")).not.toThrow();
    expect(() => scopeAuthoriser.authorise(principal("token", "content:read"), "content:read")).not.toThrow();
    const refused = (p: Principal) => () => scopeAuthoriser.authorise(p, "content:remove");
    expect(refused(principal("anonymous"))).toThrow(expect.objectContaining({ code: "UNAUTHENTICATED" }));
    expect(refused(principal("token", "content:read"))).toThrow(
      expect.objectContaining({ code: "FORBIDDEN" }),
    );
  });
});
