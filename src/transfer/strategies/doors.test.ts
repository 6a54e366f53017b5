import { expect, test } from "vitest";
import { addFile, patternBytes } from "../../../test/suites/dag.ts";
import { type StrategyRig, transferStrategySuite } from "../../../test/suites/transfer-strategy.ts";
import { noMetrics, silentLogger, systemClock } from "../../core/index.ts";
import { MemoryBlocks } from "../../p2p/test-support.ts";
import { transferMetrics } from "../metrics.ts";
import { type Faults, startContentSocket, startGateway, type TestDoor } from "../testing/doors.ts";
import { createHttpStrategy, type GatewaySource } from "./http.ts";
import { createWebSocketStrategy, type WebSocketSource } from "./web-socket.ts";

const shared = { metrics: transferMetrics(noMetrics), clock: systemClock, log: silentLogger };

interface Rig<Source> extends StrategyRig<Source> {
  readonly door: TestDoor;
}

async function http(faults: Faults = {}): Promise<Rig<GatewaySource>> {
  const [here, there] = [new MemoryBlocks(), new MemoryBlocks()];
  const door = await startGateway(there, faults);
  const strategy = createHttpStrategy()({ ...shared, blocks: here });
  return rigOf(here, there, door, { strategy, source: { url: door.url } });
}

async function webSocket(faults: Faults = {}, stallTimeoutMs = 10_000): Promise<Rig<WebSocketSource>> {
  const [here, there] = [new MemoryBlocks(), new MemoryBlocks()];
  const door = await startContentSocket(there, faults);
  const strategy = createWebSocketStrategy({ stallTimeoutMs })({ ...shared, blocks: here });
  return rigOf(here, there, door, { strategy, source: { url: door.url } });
}

function rigOf<Source>(
  here: MemoryBlocks,
  there: MemoryBlocks,
  door: TestDoor,
  rest: Pick<StrategyRig<Source>, "strategy" | "source">,
): Rig<Source> {
  return {
    here,
    there,
    door,
    ...rest,
    async [Symbol.asyncDispose]() {
      await rest.strategy[Symbol.asyncDispose]();
      await door[Symbol.asyncDispose]();
    },
  };
}

transferStrategySuite("HTTP gateway", () => http());
transferStrategySuite("WebSocket", () => webSocket());

test("a gateway that cuts every answer short brings the whole all the same, nothing twice", async () => {
  await using r = await http({ cutAfterBytes: 20_000 });
  const root = await addFile(r.there, patternBytes(200_000));
  const came: string[] = [];
  await r.strategy.fetch(r.source, { root }, { onBlock: cid => void came.push(cid.toString()) });
  expect(new Set(came).size).toBe(came.length);
  expect(r.here.blocks.size).toBe(r.there.blocks.size);
});

test("a WebSocket that is cut in the middle ends in PEER_UNREACHABLE, what came before is kept", async () => {
  await using r = await webSocket({ cutAfterBytes: 60_000 });
  const root = await addFile(r.there, patternBytes(200_000));
  await expect(r.strategy.fetch(r.source, { root })).rejects.toMatchObject({ code: "PEER_UNREACHABLE" });
  expect(r.here.blocks.size).toBeGreaterThan(10);
  await expect(r.strategy.fetch(r.source, { root })).rejects.toMatchObject({ code: "PEER_UNREACHABLE" });
});

test("a WebSocket that goes silent is given up", async () => {
  await using r = await webSocket({ stallAfterBytes: 30_000 }, 50);
  const root = await addFile(r.there, patternBytes(200_000));
  await expect(r.strategy.fetch(r.source, { root })).rejects.toMatchObject({ code: "TIMEOUT" });
});

test("where nobody listens both say that the peer cannot be reached", async () => {
  await using r = await http();
  const root = await addFile(r.there, patternBytes(2000));
  const ws = createWebSocketStrategy()({ ...shared, blocks: r.here });
  await expect(r.strategy.fetch({ url: "http://127.0.0.1:9" }, { root })).rejects.toMatchObject({
    code: "PEER_UNREACHABLE",
  });
  await expect(ws.fetch({ url: "ws://127.0.0.1:9" }, { root })).rejects.toMatchObject({
    code: "PEER_UNREACHABLE",
  });
  await expect(ws.fetch({ url: r.door.url.replace("http", "ws") }, { root })).rejects.toMatchObject({
    code: "PEER_UNREACHABLE",
  });
});
