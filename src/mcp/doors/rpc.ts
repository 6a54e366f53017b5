import { RPC_ERRORS, rpcRequest } from "@cidcast/protocols/mcp";
import { type JSONRPCMessage, ProtocolError, type Transport } from "@modelcontextprotocol/server";
import type { Session } from "../../tenancy/index.ts";
import { MAX_BATCH } from "../limits.ts";
import { buildServer } from "../server/build-server.ts";
import type { CallComponents } from "../server/call-tool.ts";
import { completeInitialize, errorMessage, idOf, invalidRequest, parseMessage } from "./message.ts";

/** What `POST /api/mcp/rpc/` answers: undefined when there were only notifications. */
export type RpcAnswer = object | readonly object[] | undefined;

/** Answers one JSON-RPC message, or a batch, without a handshake. */
export async function answerRpc(
  components: CallComponents,
  session: Session,
  json: unknown,
  signal?: AbortSignal,
): Promise<RpcAnswer> {
  if (!Array.isArray(json)) return answerOne(components, session, json, signal);
  if (json.length === 0 || json.length > MAX_BATCH) return errorMessage(null, invalidRequest());
  const answers = await Promise.all(json.map(item => answerOne(components, session, item, signal)));
  const given = answers.filter(answer => answer !== undefined);
  return given.length === 0 ? undefined : given;
}

async function answerOne(
  components: CallComponents,
  session: Session,
  json: unknown,
  signal: AbortSignal | undefined,
): Promise<object | undefined> {
  const checked = rpcRequest.safeParse(completeInitialize(json));
  if (!checked.success) return errorMessage(idOf(json), invalidRequest());
  const { method, params, id } = checked.data;
  if (method === "tools/call" && typeof params?.["name"] !== "string") {
    return errorMessage(id ?? null, new ProtocolError(RPC_ERRORS.invalidParams, "Invalid params"));
  }
  // A notification has no answer; the ones that clients send mean nothing outside a session.
  if (id === undefined || id === null) return undefined;
  const transport = new OneAnswer(id);
  const { server } = buildServer(components, session);
  await server.connect(transport);
  const abort = (): void => {
    server.close().catch(() => undefined);
  };
  signal?.addEventListener("abort", abort, { once: true });
  try {
    transport.onmessage?.(parseMessage(checked.data));
    // Nothing else runs then, so there is nothing to close: closing makes an error with its stack.
    return await transport.answer;
  } finally {
    signal?.removeEventListener("abort", abort);
  }
}

/** Takes one request, and keeps its answer. What a tool tells on the way has nowhere to go. */
class OneAnswer implements Transport {
  onclose?: () => void;
  onerror?: (error: Error) => void;
  onmessage?: (message: JSONRPCMessage) => void;
  readonly answer: Promise<object>;
  readonly #id: string | number;
  readonly #resolve: (answer: object) => void;

  constructor(id: string | number) {
    const { promise, resolve } = Promise.withResolvers<object>();
    this.#id = id;
    this.answer = promise;
    this.#resolve = resolve;
  }

  async start(): Promise<void> {}

  async send(message: JSONRPCMessage): Promise<void> {
    if ("id" in message && message.id === this.#id && !("method" in message)) this.#resolve(message);
  }

  async close(): Promise<void> {
    this.onclose?.();
    const aborted = new ProtocolError(RPC_ERRORS.internal, "The request was aborted");
    this.#resolve(errorMessage(this.#id, aborted));
  }
}
