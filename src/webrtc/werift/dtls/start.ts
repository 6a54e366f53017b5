import { DtlsClient, DtlsServer } from "werift";
import { type Clock, systemClock } from "../../../core/index.ts";
import type { MuxPort } from "../../net/index.ts";
import { Flights } from "./flights.ts";
import { DtlsGate } from "./gate.ts";
import type { DtlsInternals, DtlsTransportInternals } from "../internals.ts";

/** Ends werift's retransmission loops: past every flight. */
const OVER = 99;

export interface DtlsStartInit {
  readonly transport: DtlsTransportInternals;
  readonly port: MuxPort;
  /** Keys are there and proven. */
  readonly onConnected: (dtls: DtlsInternals) => void;
  readonly onApplicationData: () => void;
  /** The viewer closed DTLS. */
  readonly onClosed: () => void;
  readonly clock?: Pick<Clock, "after" | "monotonicMs">;
}

/**
 * `RTCDtlsTransport.start` of the package without its waits (100 ms before a client's first flight), with records kept
 * that came early, and behind a {@link DtlsGate}. Returns what stops a handshake under way.
 */
export function replaceDtlsStart(init: DtlsStartInit): () => void {
  const { transport } = init;
  let stop = (): void => undefined;
  let stopped = false;
  transport.start = async () => {
    if (stopped || transport.state !== "new") throw new Error("DTLS is started once");
    if (transport.remoteParameters === undefined || transport.remoteParameters.fingerprints.length === 0) {
      throw new Error("the description has no fingerprint");
    }
    if (transport.role === "auto")
      transport.role = transport.iceTransport.role === "controlling" ? "server" : "client";
    transport.setState("connecting");
    const { dtls, flights } = createDtls(init);
    stop = () => {
      dtls.dtls.flight = OVER;
      flights.close();
    };
    try {
      await handshake(init, dtls, flights);
      transport.verifyRemoteCertificateFingerprint();
    } catch (error) {
      stop();
      transport.setState("failed");
      throw error;
    }
    init.onConnected(dtls);
    transport.setState("connected");
  };
  return () => {
    stopped = true;
    stop();
  };
}

function createDtls({ transport, clock = systemClock }: DtlsStartInit): {
  readonly dtls: DtlsInternals;
  readonly flights: Flights;
} {
  const { connection } = transport.iceTransport;
  const socket = {
    type: "ice",
    address: {},
    closed: false,
    onData: () => undefined,
    // Nothing is sent before it has been made.
    send: (datagram: Buffer): Promise<void> => flights.send(datagram),
    close: () => Promise.resolve(),
  };
  const options = {
    cert: transport.localCertificate?.certPem,
    key: transport.localCertificate?.privateKey,
    signatureHash: transport.localCertificate?.signatureHash,
    transport: socket,
    srtpProfiles: transport.srtpProfiles,
    extendedMasterSecret: true,
    certificateRequest: transport.role === "server",
  };
  const Socket = transport.role === "server" ? DtlsServer : DtlsClient;
  // The options are those that the package itself passes; its types want its own transport class.
  const created = new Socket(options as unknown as ConstructorParameters<typeof DtlsServer>[0]);
  transport.dtls = created;
  const dtls = created as unknown as DtlsInternals;
  const flights = new Flights({
    dtls,
    send: datagram => connection.send(datagram),
    clock,
    roundTripMs: () => {
      const seconds = connection.nominated?.rtt;
      return seconds === undefined ? undefined : seconds * 1000;
    },
  });
  return { dtls, flights };
}

async function handshake(init: DtlsStartInit, dtls: DtlsInternals, flights: Flights): Promise<void> {
  const { transport, port } = init;
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const gate = new DtlsGate({
    dtls,
    role: transport.role === "server" ? "server" : "client",
    onFailed: reject,
    onRepeated: () => flights.again(),
    onApplicationData: init.onApplicationData,
  });
  dtls.onData.subscribe(data => transport.dataReceiver(data));
  dtls.onClose.subscribe(() => {
    if (transport.state !== "failed") transport.setState("closed");
    init.onClosed();
  });
  dtls.onConnect.once(resolve);
  dtls.onError.once(reject);
  port.takeDtls(datagram => gate.receive(datagram));
  if (dtls.connect !== undefined) dtls.connect().catch(reject);
  await promise;
  flights.done();
  if (!gate.proven) throw new Error("DTLS connected without a proof");
}
