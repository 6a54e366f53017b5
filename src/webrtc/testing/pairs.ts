import { UdpMux } from "../net/index.ts";
import type { EgressPeer, PeerFactory, PeerHandlers, PeerTrack, PeerTransport } from "../peer.ts";
import { createPeerFactory } from "../werift/index.ts";

export const TRACKS: readonly PeerTrack[] = [
  { kind: "video", codec: "h264" },
  { kind: "audio", codec: "opus" },
];

/** Two ends on a port each, to be connected to one another. */
export interface Ends extends AsyncDisposable {
  readonly muxes: readonly [UdpMux, UdpMux];
  readonly factories: readonly [PeerFactory, PeerFactory];
}

export async function twoEnds(): Promise<Ends> {
  const muxes = [await listen(), await listen()] as const;
  const make = (mux: UdpMux): Promise<PeerFactory> =>
    createPeerFactory({ mux, addresses: ["127.0.0.1"], stunServer: undefined });
  const factories = [await make(muxes[0]), await make(muxes[1])] as const;
  return {
    muxes,
    factories,
    async [Symbol.asyncDispose]() {
      for (const mux of muxes) await mux.close();
    },
  };
}

function listen(): Promise<UdpMux> {
  return UdpMux.listen({ host: "127.0.0.1", port: 0 });
}

/** A peer and the promises of what it tells. */
export interface Watched {
  readonly peer: EgressPeer;
  readonly transport: Promise<PeerTransport>;
  readonly controlOpen: Promise<void>;
  readonly closed: Promise<string>;
  readonly messages: (string | undefined)[];
}

export function watched(factory: PeerFactory, handlers: Partial<PeerHandlers> = {}): Watched {
  const transport = Promise.withResolvers<PeerTransport>();
  const controlOpen = Promise.withResolvers<void>();
  const closed = Promise.withResolvers<string>();
  const messages: (string | undefined)[] = [];
  const peer = factory.create({
    tracks: TRACKS,
    handlers: {
      onTransport: transport.resolve,
      onKeysProven: () => undefined,
      onMedia: () => undefined,
      onControlOpen: () => controlOpen.resolve(),
      onControl: text => messages.push(text),
      onChannel: () => undefined,
      onRestarted: () => undefined,
      onClosed: closed.resolve,
      ...handlers,
    },
  });
  return {
    peer,
    transport: transport.promise,
    controlOpen: controlOpen.promise,
    closed: closed.promise,
    messages,
  };
}
