import { z } from "zod";
import { MAX_TOKEN_LENGTH } from "@cidcast/protocols/ipfs-kit-mcp";
import { CLOSE_REASONS, MAX_MESSAGE_BYTES } from "@cidcast/protocols/mcp";
import { CidcastError, type Logger, type Principal, toCidcastError } from "../core/index.ts";
import type { Mcp, McpSocket } from "../mcp/index.ts";
import { type FirstObject, LineCutter, type PeerStream } from "../p2p/index.ts";
import { mcpRefusal } from "./mcp.ts";
import type { PeerPrincipals } from "./peer-principal.ts";

/** Bytes of answers that may wait for a peer that does not read; with more its stream is cut off. */
const MAX_UNREAD_BYTES = 16 * 1024 * 1024;

/** The line with which a peer says who it is, where its PeerId does not. */
const authenticateLine = z.object({
  action: z.literal("authenticate"),
  token: z.string().max(MAX_TOKEN_LENGTH).optional(),
  tenant_id: z.string().max(256).optional(),
});

export interface PeerMcpComponents {
  readonly mcp: Pick<Mcp, "connect">;
  readonly authenticate: PeerPrincipals;
  readonly log: Logger;
}

/** Serves MCP on a stream of `/ipfs-kit/mcp/1.0.0`, a message a line, to who a token or a setting makes more than a peer. */
export function createPeerMcp(components: PeerMcpComponents) {
  return async (stream: PeerStream, first: FirstObject): Promise<void> => {
    const said = authenticateLine.safeParse(first.value);
    const shown = said.success
      ? { token: said.data.token, tenantId: said.data.tenant_id }
      : { token: undefined };
    try {
      const principal = await components.authenticate(stream.peerId, shown);
      requireMore(principal);
      serve(stream, first, { ...components, principal, begins: !said.success });
    } catch (error) {
      const { code, message } = toCidcastError(error);
      components.log.debug({ peer: stream.peerId, code }, "a peer gets no mcp");
      refuse(stream, message, code);
      await stream.close();
    }
  };
}

/** A PeerId is no tenant. */
function requireMore({ kind, scopes, capability }: Principal): void {
  const isOwner = scopes.has("*");
  if (capability === undefined && (kind !== "peer" || isOwner)) return;
  throw new CidcastError("UNAUTHENTICATED", CLOSE_REASONS.tokenRequired);
}

interface Serving extends PeerMcpComponents {
  readonly principal: Principal;
  /** The first object is a message already. */
  readonly begins: boolean;
}

function serve(stream: PeerStream, first: FirstObject, { mcp, principal, log, begins }: Serving): void {
  const lines = new LineCutter(MAX_MESSAGE_BYTES);
  let open = true;
  const quietly = (work: Promise<void>): void => {
    work.catch((err: unknown) => log.debug({ peer: stream.peerId, err }, "an mcp stream was cut off"));
  };
  const cut = (code: "PAYLOAD_TOO_LARGE" | "LIMIT_REACHED", message: string): void => {
    end();
    stream.abort(new CidcastError(code, message));
  };
  const send = unreadLimited(stream, () => cut("LIMIT_REACHED", "The answers are not read"));
  const socket: McpSocket = mcp.connect({
    carrier: "libp2p",
    door: "libp2p",
    principal,
    remoteAddress: stream.peerId,
    send: text => {
      if (open) send(text);
    },
    close: (_code, reason) => {
      if (!open) return;
      open = false;
      if (reason !== "") refuse(stream, reason, "UNAUTHENTICATED");
      quietly(stream.close());
    },
  });
  const end = (): void => {
    open = false;
    socket.close();
  };
  if (begins) socket.receive(JSON.stringify(first.value));
  first.follow({
    onData(chunk) {
      if (!open) return;
      for (const line of lines.cut(chunk)) if (line.trim() !== "") socket.receive(line);
      if (lines.tooLong) cut("PAYLOAD_TOO_LARGE", `A message has at most ${MAX_MESSAGE_BYTES} bytes`);
    },
    // What runs is still answered.
    onEnd: () =>
      quietly(
        socket
          .idle()
          .then(() => (open ? stream.close() : undefined))
          .finally(end),
      ),
    onClose: end,
  });
}

/** Sends lines; calls `onTooMuch` when the other side leaves too much unread. */
function unreadLimited(stream: PeerStream, onTooMuch: () => void): (text: string) => void {
  let unread = 0;
  let waits = false;
  const wait = async (): Promise<void> => {
    waits = true;
    await stream.drained();
    waits = false;
    unread = 0;
  };
  return text => {
    const bytes = Buffer.from(`${text}\n`);
    const taken = stream.send(bytes);
    if (taken && !waits) return;
    unread += bytes.byteLength;
    if (unread > MAX_UNREAD_BYTES) onTooMuch();
    // A stream that goes while it is waited for tells so itself.
    else if (!waits) wait().catch(() => undefined);
  };
}

/** The last line of a stream that is refused or ended. */
function refuse(stream: PeerStream, message: string, code: string): void {
  try {
    stream.send(Buffer.from(`${mcpRefusal(message, code)}\n`));
  } catch {
    // Its other side is gone: nobody is left to be told.
  }
}
