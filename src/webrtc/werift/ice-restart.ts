import type { MuxPort } from "../net/index.ts";
import type { IceCredentials } from "../peer.ts";
import { connectIce, newCredentials } from "./ice.ts";
import type { IceInternals, IcePair } from "./internals.ts";

/** Longest time from a restart to a pair that works, ms. Until then media goes on along the old path. */
const RESTART_TIMEOUT_MS = 15_000;

/**
 * Restarts ICE of one connection without the package's own restart, which stops sending at once: new credentials, new
 * checks, and the old path until one of the new pairs works. @see https://www.rfc-editor.org/rfc/rfc8445#section-9
 */
export class IceRestart {
  readonly #connection: IceInternals;
  readonly #port: MuxPort;
  #offered: IceCredentials | undefined;
  #oldPair: IcePair | undefined;

  constructor(connection: IceInternals, port: MuxPort) {
    this.#connection = connection;
    this.#port = port;
  }

  /** True between an offer of new credentials and the viewer's answer. */
  get isOffered(): boolean {
    return this.#offered !== undefined;
  }

  /** The pair to send on while the new ones are being checked. */
  get oldPair(): IcePair | undefined {
    return this.#oldPair;
  }

  /** Our new credentials: the viewer may check with them from now on. */
  offer(): IceCredentials {
    if (this.#offered !== undefined) return this.#offered;
    const credentials = newCredentials();
    const { ufrag, password } = credentials;
    const connection = this.#connection;
    this.#port.addCredentials(ufrag, password);
    connection.userHistory[ufrag] = password;
    this.#offered = credentials;
    return credentials;
  }

  /** Begins with the viewer's new credentials, and says how it ended. */
  begin(
    remote: IceCredentials,
    {
      onDone,
      onFailed,
    }: {
      /** One of the new pairs works. */
      readonly onDone: () => void;
      /** No pair works in time. */
      readonly onFailed: () => void;
    },
  ): void {
    const { ufrag, password } = this.offer();
    this.#offered = undefined;
    const connection = this.#connection;
    this.#oldPair = connection.nominated ?? this.#oldPair;
    connection.userHistory = { [connection.localUsername]: connection.localPassword, [ufrag]: password };
    connection.localUsername = ufrag;
    connection.localPassword = password;
    // Checks name the fragment that stands with the candidate.
    for (const { localCandidate } of connection.protocols) {
      if (localCandidate !== undefined) localCandidate.ufrag = ufrag;
    }
    connection.remoteUsername = remote.ufrag;
    connection.remotePassword = remote.password;
    connection._remoteCandidates = [];
    connection.checkList = [];
    connection.checkListDone = false;
    connection.nominated = undefined;
    connectIce(connection, RESTART_TIMEOUT_MS).then(
      () => {
        this.#oldPair = undefined;
        onDone();
      },
      () => {
        if (connection.state !== "closed") onFailed();
      },
    );
  }
}
