import type { Greeting, SignallingHandler } from "../webrtc/index.ts";
import { refuseAfterHandshake } from "./refuse.ts";
import type { SocketRoute } from "./types.ts";

/** Paths of the signalling and how each greets (docs/COMPATIBILITY.md). */
const SIGNALLING_PATHS: Readonly<Record<string, Greeting>> = {
  "/webrtc": "silent",
  "/ws/webrtc": "welcome",
  "/mcp/webrtc/ws": "welcome",
};
/** Close code for a part of the node that is not there: the client did nothing wrong (RFC 6455 section 7.4.1). */
const SERVER_CANNOT = 1011;

/** The signalling paths; without a handler they say why there is none, in the words its clients know. */
export function signallingRoutes(
  handler: SignallingHandler | undefined,
  missing: string | undefined,
): SocketRoute[] {
  return Object.entries(SIGNALLING_PATHS).map(([path, greeting]) =>
    handler === undefined ? disabledRoute(path, greeting, missing) : signallingRoute(path, greeting, handler),
  );
}

function signallingRoute(path: string, greeting: Greeting, handler: SignallingHandler): SocketRoute {
  return {
    path,
    action: "media:play",
    refuse: refuseAfterHandshake,
    connect({ principal, remoteAddress, send }) {
      const connection = handler.connect({ greeting, principal, address: remoteAddress, send });
      return {
        onText: async text => connection.receive(text),
        onClose: async reason => connection.close(reason),
      };
    },
  };
}

function disabledRoute(path: string, greeting: Greeting, missing = "it is switched off"): SocketRoute {
  const answer = JSON.stringify({
    type: "error",
    code: "FEATURE_DISABLED",
    message: `WebRTC is not available on this node: ${missing}`,
    dependency_status: { av: false, cv2: false, numpy: false, aiortc: false, webrtc: false },
  });
  return {
    path,
    action: "media:play",
    refuse: refuseAfterHandshake,
    connect({ send, close }) {
      const tell = (): void => {
        send(answer);
        close(SERVER_CANNOT, "WebRTC is not available");
      };
      // A silent greeting's clients take the first frame for the answer to what they sent.
      if (greeting === "welcome") tell();
      return { onText: tell, onClose: () => undefined };
    },
  };
}
