import { type AbortOptions, CidcastError, raceSignal } from "../../core/index.ts";
import type { PeerStream } from "../streams/index.ts";

/** What is needed of a stream to read from it. */
export type JsonSource = Pick<PeerStream, "consume">;

/** Code of `}`, which every JSON object ends with. */
const CLOSING_BRACE = 0x7d;

export interface ReadJsonOptions extends AbortOptions {
  /** Most bytes read; `PAYLOAD_TOO_LARGE` beyond. */
  readonly maxBytes: number;
  /** An end without a byte is no error: undefined. */
  readonly orNothing?: boolean;
}

/**
 * Reads one JSON object that has no frame around it: complete when it parses, whether or not the other side ends there.
 * `INVALID_REQUEST` when the other side ends before.
 */
export function readJson(stream: JsonSource, options: ReadJsonOptions): Promise<unknown> {
  const { promise, resolve, reject } = Promise.withResolvers<unknown>();
  const chunks: Uint8Array[] = [];
  let total = 0;
  let done = false;
  const text = (): string => Buffer.concat(chunks).toString("utf8");
  stream.consume({
    onData(chunk) {
      if (done) return;
      total += chunk.byteLength;
      chunks.push(chunk);
      if (total > options.maxBytes) {
        done = true;
        reject(new CidcastError("PAYLOAD_TOO_LARGE", `The JSON has more than ${options.maxBytes} bytes`));
      } else if (endsWithBrace(chunk)) {
        const value = tryParse(text());
        if (value === undefined) return;
        done = true;
        resolve(value);
      }
    },
    onEnd() {
      if (done) return;
      done = true;
      const value = tryParse(text());
      if (value !== undefined || (options.orNothing === true && total === 0)) resolve(value);
      else reject(new CidcastError("INVALID_REQUEST", "What was sent is not a JSON object"));
    },
    onClose(error) {
      reject(error ?? new CidcastError("PEER_UNREACHABLE", "The stream was closed"));
    },
  });
  return raceSignal(promise, options.signal);
}

/** Looks at the last byte that is not white space, so that most chunks of a long text cost no parse. */
function endsWithBrace(chunk: Uint8Array): boolean {
  for (let i = chunk.byteLength - 1; i >= 0; i--) {
    const byte = chunk[i] ?? 0;
    if (byte === CLOSING_BRACE) return true;
    if (byte !== 0x20 && byte !== 0x0a && byte !== 0x0d && byte !== 0x09) return false;
  }
  return false;
}

function tryParse(text: string): unknown {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === "object" && value !== null ? value : undefined;
  } catch {
    return undefined;
  }
}
