import { randomUUID } from "node:crypto";
import { welcome } from "@cidcast/protocols/signalling";
import type { Authoriser, Clock, Logger } from "../../core/index.ts";
import type { SignallingConnection, SignallingHandler, WebRTCStreamingManager } from "../types.ts";
import { Connection } from "./connection.ts";

export interface SignallingComponents {
  readonly manager: WebRTCStreamingManager;
  readonly authoriser: Authoriser;
  readonly log: Logger;
  readonly clock: Clock;
}

export interface SignallingInit {
  /** What `welcome` says of notifications on this node. Default true. */
  readonly notificationSupport?: boolean;
}

/** The signalling of both generations of clients; what carries the frames is the caller's. */
export function createSignallingHandler(init: SignallingInit = {}) {
  return (components: SignallingComponents): SignallingHandler => ({
    connect({ greeting, principal, address, send }): SignallingConnection {
      const clientId = `client_${randomUUID()}`;
      const reply = (message: object): void => {
        send(JSON.stringify(message));
      };
      if (greeting === "welcome") reply(welcome(clientId, init.notificationSupport ?? true));
      return new Connection({ ...components, clientId, principal, address, reply });
    },
  });
}
