import { RTCDtlsTransport } from "werift";
import type { EgressPeer, PeerFactory, PeerInit } from "../peer.ts";
import type { IceInit } from "./ice.ts";
import { WeriftPeer } from "./peer.ts";
import { installNativeX25519 } from "./x25519.ts";

/** Gets this thread ready for peers: the certificate that all of them show, and native key exchange. */
export async function createPeerFactory(ice: IceInit): Promise<PeerFactory> {
  installNativeX25519();
  await RTCDtlsTransport.SetupCertificate();
  return { create: (init: PeerInit): EgressPeer => new WeriftPeer(init, ice) };
}
