import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo, Socket } from "node:net";
import { TO_END } from "@cidcast/protocols/content";
import { CID } from "multiformats/cid";
import { WebSocketServer } from "ws";
import { carEntry, carHeader } from "../../content/index.ts";
import { noMetrics, silentLogger, systemClock } from "../../core/index.ts";
import { walkItems } from "../dag/walk.ts";
import { transferMetrics } from "../metrics.ts";
import { createContentServer, serveContentSocket } from "../protocol/content-service.ts";
import type { TransferBlocks } from "../types.ts";

/** A door to blocks on loopback, for tests. */
export interface TestDoor extends AsyncDisposable {
  /** `http://…` or `ws://…`. */
  readonly url: string;
  /** Blocks that went out, by CID, with repeats. */
  readonly sent: string[];
}

/** What a test does to the answers of a door. */
export interface Faults {
  /** Cuts the connection after so many bytes of each answer. */
  cutAfterBytes?: number;
  /** Says nothing more after so many bytes of each answer. */
  stallAfterBytes?: number;
}

/** A trustless gateway on blocks. One that is missing in the middle of a CAR cuts the connection, as the real ones do. */
export async function startGateway(blocks: TransferBlocks, faults: Faults = {}): Promise<TestDoor> {
  const sent: string[] = [];
  return listen(
    "http",
    async (request, response) => {
      const url = new URL(request.url ?? "", "http://localhost");
      const cid = CID.parse(url.pathname.replace("/ipfs/", ""));
      const root = await blocks.get(cid);
      if (root === undefined) {
        response.writeHead(404).end();
        return;
      }
      response.writeHead(200);
      const write = writer(response, faults);
      if (url.searchParams.get("format") === "raw") {
        sent.push(cid.toString());
        if (await write(root)) response.end();
        return;
      }
      const [from = "0", to = "*"] = (url.searchParams.get("entity-bytes") ?? "0:*").split(":");
      const range = { start: Number(from), end: to === "*" ? TO_END : Number(to) + 1 };
      if (!(await write(carHeader([cid])))) return;
      for await (const block of walkItems(blocks, [{ kind: "subtree", cid: cid.bytes, ...range }])) {
        const bytes = await block.bytes;
        if (bytes === undefined) {
          response.destroy();
          return;
        }
        sent.push(block.cid.toString());
        for (const piece of carEntry({ cid: block.cid, bytes })) if (!(await write(piece))) return;
      }
      response.end();
    },
    sent,
  );
}

/** The content protocol on WebSockets. */
export async function startContentSocket(blocks: TransferBlocks, faults: Faults = {}): Promise<TestDoor> {
  const sent: string[] = [];
  const counted: TransferBlocks = {
    has: cid => blocks.has(cid),
    get: async cid => {
      sent.push(cid.toString());
      return blocks.get(cid);
    },
    put: (cid, bytes) => blocks.put(cid, bytes),
  };
  const serve = createContentServer({
    blocks: counted,
    metrics: transferMetrics(noMetrics),
    clock: systemClock,
    log: silentLogger,
  });
  const wss = new WebSocketServer({ noServer: true });
  const door = await listen("ws", undefined, sent, (request, socket, head) => {
    wss.handleUpgrade(request, socket as Socket, head, ws => {
      let bytes = 0;
      const handler = serveContentSocket(
        {
          send(data) {
            bytes += data.byteLength;
            if (bytes > (faults.cutAfterBytes ?? Number.POSITIVE_INFINITY)) ws.terminate();
            if (ws.readyState !== ws.OPEN) return false;
            if (bytes <= (faults.stallAfterBytes ?? Number.POSITIVE_INFINITY)) ws.send(data);
            return true;
          },
          bufferedBytes: () => ws.bufferedAmount,
          close: (code, reason) => ws.close(code, reason),
        },
        { serve, name: "client", onError: () => undefined },
      );
      socket.on("drain", () => handler.onDrain());
      ws.on("message", data => handler.onBinary(data as Buffer));
      ws.on("close", code => handler.onClose(code === 1000));
    });
  });
  return door;
}

function writer(response: ServerResponse, faults: Faults): (bytes: Uint8Array) => Promise<boolean> {
  let written = 0;
  return async bytes => {
    const room = Math.min(
      faults.cutAfterBytes ?? Number.POSITIVE_INFINITY,
      faults.stallAfterBytes ?? Number.POSITIVE_INFINITY,
    );
    const piece = bytes.subarray(0, Math.max(0, room - written));
    written += bytes.byteLength;
    await new Promise<void>(resolve => {
      response.write(piece, () => resolve());
    });
    if (written <= room) return true;
    if (faults.cutAfterBytes !== undefined) response.destroy();
    return false;
  };
}

async function listen(
  scheme: "http" | "ws",
  answer: ((request: IncomingMessage, response: ServerResponse) => Promise<void>) | undefined,
  sent: string[],
  upgrade?: (request: IncomingMessage, socket: NodeJS.WritableStream, head: Buffer) => void,
): Promise<TestDoor> {
  const server = createServer((request, response) => {
    if (answer === undefined) response.writeHead(404).end();
    else answer(request, response).catch(() => response.destroy());
  });
  if (upgrade !== undefined) server.on("upgrade", upgrade);
  const sockets = new Set<Socket>();
  server.on("connection", socket => {
    sockets.add(socket);
    socket.once("close", () => sockets.delete(socket));
  });
  const { promise, resolve } = Promise.withResolvers<void>();
  server.listen(0, "127.0.0.1", resolve);
  await promise;
  return {
    // A server that listens on a port has such an address.
    url: `${scheme}://127.0.0.1:${(server.address() as AddressInfo).port}`,
    sent,
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy();
      await new Promise(closed => server.close(closed));
    },
  };
}
