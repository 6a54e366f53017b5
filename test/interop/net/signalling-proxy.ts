import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { type RawData, WebSocket, WebSocketServer } from "ws";

const PAGE = "<!doctype html><title>viewer</title><video muted playsinline autoplay></video>";

export interface ProxyInit {
  /** Signalling of the node. */
  readonly target: string;
  /** UDP port of the node, and the one that viewers are to use instead. */
  readonly ports: { readonly node: number; readonly network: number };
}

export interface SignallingProxy extends AsyncDisposable {
  /** An empty page with a `<video>`, on the origin of the signalling. */
  readonly pageUrl: string;
  readonly url: string;
}

/**
 * Stands before a node's signalling so that media has only one way, through the network of the test: the node's candidates
 * are replaced by the network's, and those of viewers are kept from the node.
 */
export async function startSignallingProxy({ target, ports }: ProxyInit): Promise<SignallingProxy> {
  const http = createServer((_request, response) => {
    response.writeHead(200, { "content-type": "text/html" }).end(PAGE);
  });
  const sockets = new WebSocketServer({ server: http });
  sockets.on("connection", viewer => {
    const node = new WebSocket(target);
    const opened = once(node, "open");
    viewer.on("message", data => {
      const text = toNode(textOf(data));
      if (text !== undefined) void opened.then(() => node.send(text));
    });
    node.on("message", data => viewer.send(toViewer(textOf(data), ports)));
    viewer.on("close", () => node.close());
    node.on("close", () => viewer.close());
    node.on("error", () => viewer.close());
  });
  http.listen(0, "127.0.0.1");
  await once(http, "listening");
  const { port } = http.address() as AddressInfo;
  return {
    pageUrl: `http://127.0.0.1:${port}/`,
    url: `ws://127.0.0.1:${port}/`,
    async [Symbol.asyncDispose]() {
      for (const socket of sockets.clients) socket.terminate();
      http.close();
      http.closeAllConnections();
      await once(http, "close");
    },
  };
}

/** ws hands over one Buffer per message unless it is told otherwise. */
function textOf(data: RawData): string {
  return Buffer.isBuffer(data) ? data.toString() : "";
}

/** What a viewer is told instead: the network's port in the candidates of the node. */
export function toViewer(text: string, { node, network }: ProxyInit["ports"]): string {
  return text.replaceAll(` ${node} typ host`, ` ${network} typ host`);
}

/** Undefined for what the node is not to hear of. */
function toNode(text: string): string | undefined {
  const message = JSON.parse(text) as { type?: string; sdp?: string };
  if (message.type === "candidate") return undefined;
  if (message.sdp === undefined) return text;
  return JSON.stringify({ ...message, sdp: withoutCandidates(message.sdp) });
}

/** A description that says of no way to who made it. */
export function withoutCandidates(sdp: string): string {
  return sdp
    .split("\r\n")
    .filter(line => !line.startsWith("a=candidate:"))
    .join("\r\n");
}
