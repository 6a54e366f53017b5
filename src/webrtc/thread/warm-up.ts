import type { Egress } from "../rtp/egress/index.ts";
import { UdpMux } from "../net/index.ts";
import type { EgressPeer, PeerFactory, PeerHandlers } from "../peer.ts";
import { createPeerFactory } from "../werift/index.ts";
import { deriveKeys } from "../rtp/srtp/index.ts";

/** Longest warm-up, ms: sockets of the machine itself answer at once, or not at all. */
const WARM_UP_TIMEOUT_MS = 1500;

/**
 * Connects the thread to itself once: certificate, SDP, ICE, DTLS, data channel and encryption have run when the first
 * viewer comes. Never fails: without it the first start is only slower.
 */
export async function warmUp({
  peers,
  egress,
  host,
}: {
  readonly peers: PeerFactory;
  readonly egress: Egress;
  /** Address that the thread's socket is bound to. */
  readonly host: string;
}): Promise<boolean> {
  const { promise: connected, resolve } = Promise.withResolvers<boolean>();
  const timer = setTimeout(() => resolve(false), WARM_UP_TIMEOUT_MS);
  const opened: EgressPeer[] = [];
  let mux: UdpMux | undefined;
  try {
    const tracks = [
      { kind: "video", codec: "h264" },
      { kind: "audio", codec: "opus" },
    ] as const;
    const handlers: PeerHandlers = {
      onTransport: transport => {
        const link = egress.link({ ...transport, keys: deriveKeys(transport.send, "rtp") });
        const stream = link.stream({ ssrc: 1, payloadType: 102, mid: undefined, twccId: 1 });
        const payload = Buffer.alloc(1000);
        for (let i = 0; i < 50; i++) stream.send(payload, i, false);
        link.close();
      },
      onKeysProven: () => undefined,
      onMedia: () => undefined,
      onControlOpen: () => resolve(true),
      onControl: () => undefined,
      onChannel: () => undefined,
      onRestarted: () => undefined,
      onClosed: () => resolve(false),
    };
    const offerer = peers.create({ tracks, handlers });
    mux = await UdpMux.listen({ host, port: 0 });
    const others = await createPeerFactory({ mux, addresses: [mux.address.address], stunServer: undefined });
    const answerer = others.create({ tracks, handlers: { ...handlers, onTransport: () => undefined } });
    opened.push(offerer, answerer);
    await offerer.setAnswer(await answerer.createAnswer(await offerer.createOffer()));
    return await connected;
  } catch {
    return false;
  } finally {
    clearTimeout(timer);
    await Promise.all(opened.map(peer => peer.close()));
    await mux?.close();
  }
}
