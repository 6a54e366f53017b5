import type { z } from "zod";
import { CidcastError } from "../../core/index.ts";
import { refuseAfterHandshake } from "../refuse.ts";
import type { SocketContext, SocketHandler, SocketRoute } from "../types.ts";
import { pinRequest, problemOf, streamRequest, uploadMetadata } from "./messages.ts";
import { type ByteComponents, ByteSession } from "./session.ts";

/** Largest frame of content that is taken, bytes. */
const MAX_CONTENT_FRAME_BYTES = 4 * 1024 * 1024;
const NORMAL_CLOSURE = 1000;
const COMMANDS = ["get", "add", "pin", "close"];

/** Bytes over WebSockets as clients of this family read and send them. */
export function byteSockets(components: ByteComponents): SocketRoute[] {
  const route = (
    path: string,
    action: SocketRoute["action"],
    serve: (session: ByteSession, context: SocketContext) => Pick<SocketHandler, "onText" | "onBinary">,
  ): SocketRoute => ({
    path,
    action,
    refuse: refuseAfterHandshake,
    maxMessageBytes: MAX_CONTENT_FRAME_BYTES,
    connect(context) {
      const session = new ByteSession(components, context);
      return {
        ...serve(session, context),
        onDrain: () => session.drain(),
        onClose: () => session.close(),
      };
    },
  });
  return [
    route("/ws/stream", "content:read", streaming),
    route("/ws/upload", "content:add", uploading),
    route("/ws/bidirectional", "content:read", bothWays),
  ].flatMap(one => [one, { ...one, path: `${one.path}/` }]);
}

/** `/ws/stream`: each message asks for a file. */
function streaming(session: ByteSession): Pick<SocketHandler, "onText"> {
  return {
    onText: text => session.inTurn(async () => session.stream(parsed(streamRequest, objectOf(text)))),
  };
}

/** `/ws/upload`: metadata, bytes, complete. */
function uploading(session: ByteSession): Pick<SocketHandler, "onText" | "onBinary"> {
  return {
    onText: text =>
      session.inTurn(async () => {
        const message = objectOf(text);
        if (message["type"] === "complete" && session.uploading) return session.complete();
        if (message["type"] !== "metadata" || session.uploading)
          throw new CidcastError("INVALID_REQUEST", "First message must be metadata");
        return session.begin(parsed(uploadMetadata, message));
      }),
    onBinary: data => session.push(data),
  };
}

/** `/ws/bidirectional`: commands. */
function bothWays(session: ByteSession, context: SocketContext): Pick<SocketHandler, "onText" | "onBinary"> {
  const message = "Connected to IPFS Kit WebSocket API";
  session.tell({ type: "welcome", message, supported_commands: COMMANDS });
  const obey = async (asked: Readonly<Record<string, unknown>>): Promise<void> => {
    switch (asked["command"]) {
      case "get":
        if (asked["path"] === undefined) throw new CidcastError("INVALID_REQUEST", "Missing path parameter");
        return session.stream(parsed(streamRequest, asked));
      case "add":
        if (session.uploading) throw new CidcastError("CONFLICT", "Content is being added already");
        await session.begin(parsed(uploadMetadata, asked));
        return session.tell({ type: "ready" });
      case "complete":
        return session.complete();
      case "pin":
        return session.pin(parsed(pinRequest, asked).cid);
      case "close":
        session.tell({ type: "goodbye" });
        return context.close(NORMAL_CLOSURE, "goodbye");
      default:
        throw new CidcastError("INVALID_REQUEST", `Unknown command: ${String(asked["command"])}`);
    }
  };
  return {
    onText: text => session.inTurn(async () => obey(objectOf(text))),
    onBinary: data => session.push(data),
  };
}

function objectOf(text: string): Readonly<Record<string, unknown>> {
  try {
    const value: unknown = JSON.parse(text);
    // An object that came out of JSON has text keys.
    if (typeof value === "object" && value !== null) return value as Readonly<Record<string, unknown>>;
  } catch {
    // Told below, as what is JSON and no object.
  }
  throw new CidcastError("INVALID_REQUEST", "Invalid JSON message");
}

function parsed<S extends z.ZodType>(schema: S, value: unknown): z.output<S> {
  const result = schema.safeParse(value);
  if (!result.success) throw new CidcastError("INVALID_REQUEST", problemOf(result.error));
  return result.data;
}
