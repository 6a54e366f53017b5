import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { text } from "node:stream/consumers";
import { toViewer, withoutCandidates } from "./signalling-proxy.ts";

export interface WhepProxyInit {
  /** WHEP endpoint of the server. */
  readonly target: string;
  /** Given the UDP port in the server's answer: the one that viewers are to use instead. */
  readonly networkPort: (serverPort: number) => Promise<number>;
}

/** Stands before a WHEP endpoint so that media has only one way, as the proxy of signalling does: see `startSignallingProxy`. */
export async function startWhepProxy(
  init: WhepProxyInit,
): Promise<{ readonly url: string } & AsyncDisposable> {
  const http = createServer((request, response) => {
    forward(init, request).then(
      ({ status, sdp }) => response.writeHead(status, { "content-type": "application/sdp" }).end(sdp),
      (error: unknown) => response.writeHead(502).end(String(error)),
    );
  });
  http.listen(0, "127.0.0.1");
  await once(http, "listening");
  const { port } = http.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}/`,
    async [Symbol.asyncDispose]() {
      http.close();
      http.closeAllConnections();
      await once(http, "close");
    },
  };
}

async function forward(
  { target, networkPort }: WhepProxyInit,
  request: Parameters<typeof text>[0],
): Promise<{ readonly status: number; readonly sdp: string }> {
  const offer = await text(request);
  const answer = await fetch(target, {
    method: "POST",
    headers: { "content-type": "application/sdp" },
    body: withoutCandidates(offer),
  });
  const sdp = await answer.text();
  const port = /^a=candidate:\S+ 1 udp \d+ 127\.0\.0\.1 (\d+) typ host/im.exec(sdp)?.[1];
  if (!answer.ok || port === undefined) throw new Error(`${target} answered ${answer.status}: ${sdp}`);
  const node = Number(port);
  return { status: answer.status, sdp: toViewer(sdp, { node, network: await networkPort(node) }) };
}
