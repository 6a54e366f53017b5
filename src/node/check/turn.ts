import { createHash, createHmac, randomBytes } from "node:crypto";
import { createSocket, type Socket } from "node:dgram";
import { CidcastError, raceSignal } from "../../core/index.ts";

/** Numbers of STUN and TURN. @see https://www.rfc-editor.org/rfc/rfc8656 */
const ALLOCATE = 0x0003;
const REFRESH = 0x0004;
const SUCCESS = 0x0100;
const FAILURE = 0x0110;
const USERNAME = 0x0006;
const MESSAGE_INTEGRITY = 0x0008;
const ERROR_CODE = 0x0009;
const LIFETIME = 0x000d;
const REALM = 0x0014;
const NONCE = 0x0015;
const XOR_RELAYED_ADDRESS = 0x0016;
const REQUESTED_TRANSPORT = 0x0019;
const COOKIE = Buffer.from("2112a442", "hex");
const UDP = Buffer.from([17, 0, 0, 0]);

/** Longest wait for an answer, milliseconds. */
const ANSWER_TIMEOUT_MS = 3000;

type Attribute = readonly [type: number, value: Buffer];

/** A TURN server over UDP. */
export interface TurnServer {
  readonly address: string;
  readonly family: number;
  readonly port: number;
  readonly username: string | undefined;
  readonly credential: string | undefined;
}

/** Asks for a relayed address as a viewer does, and gives it back; the address. Throws what the server says against it. */
export async function allocate(server: TurnServer, signal: AbortSignal): Promise<string> {
  const socket = createSocket(server.family === 6 ? "udp6" : "udp4");
  try {
    const ask = (type: number, attributes: readonly Attribute[], key?: Buffer): Promise<Buffer> =>
      exchange(socket, server, { message: message(type, attributes, key), signal });
    const first = await ask(ALLOCATE, [[REQUESTED_TRANSPORT, UDP]]);
    if (isSuccess(first)) return addressOf(first);
    const { username, credential } = server;
    const [realm, nonce] = [attributeOf(first, REALM), attributeOf(first, NONCE)];
    if (username === undefined || credential === undefined || realm === undefined || nonce === undefined) {
      throw new CidcastError("UNAUTHENTICATED", `The server refuses: ${reasonOf(first)}`);
    }
    const key = createHash("md5").update(`${username}:${realm.toString()}:${credential}`).digest();
    const who: readonly Attribute[] = [
      [USERNAME, Buffer.from(username)],
      [REALM, realm],
      [NONCE, nonce],
    ];
    const answer = await ask(ALLOCATE, [[REQUESTED_TRANSPORT, UDP], ...who], key);
    if (!isSuccess(answer)) {
      throw new CidcastError("FORBIDDEN", `The server refuses the credentials: ${reasonOf(answer)}`);
    }
    await ask(REFRESH, [[LIFETIME, Buffer.alloc(4)], ...who], key);
    return addressOf(answer);
  } finally {
    socket.close();
  }
}

async function exchange(
  socket: Socket,
  { address, port }: TurnServer,
  request: { readonly message: Buffer; readonly signal: AbortSignal },
): Promise<Buffer> {
  const came = Promise.withResolvers<Buffer>();
  const onMessage = (data: Buffer): void => {
    const isOurs = data.length >= 20 && data.subarray(4, 20).equals(request.message.subarray(4, 20));
    if (isOurs && (data.readUInt16BE(0) & FAILURE) !== 0) came.resolve(data);
  };
  socket.on("message", onMessage);
  socket.once("error", came.reject);
  try {
    socket.send(request.message, port, address);
    const limit = AbortSignal.timeout(ANSWER_TIMEOUT_MS);
    return await raceSignal(came.promise, AbortSignal.any([request.signal, limit]));
  } finally {
    socket.off("message", onMessage);
    socket.off("error", came.reject);
  }
}

function message(type: number, attributes: readonly Attribute[], key?: Buffer): Buffer {
  const body = Buffer.concat(attributes.map(attribute));
  const head = (length: number): Buffer => {
    const bytes = Buffer.alloc(4);
    bytes.writeUInt16BE(type, 0);
    bytes.writeUInt16BE(length, 2);
    return Buffer.concat([bytes, COOKIE, id]);
  };
  const id = randomBytes(12);
  if (key === undefined) return Buffer.concat([head(body.length), body]);
  // The length counts the signature while it is computed.
  const signed = Buffer.concat([head(body.length + 24), body]);
  const signature = createHmac("sha1", key).update(signed).digest();
  return Buffer.concat([signed, attribute([MESSAGE_INTEGRITY, signature])]);
}

function attribute([type, value]: Attribute): Buffer {
  const bytes = Buffer.alloc(4 + Math.ceil(value.length / 4) * 4);
  bytes.writeUInt16BE(type, 0);
  bytes.writeUInt16BE(value.length, 2);
  value.copy(bytes, 4);
  return bytes;
}

function attributeOf(answer: Buffer, wanted: number): Buffer | undefined {
  for (let at = 20; at + 4 <= answer.length; ) {
    const length = answer.readUInt16BE(at + 2);
    if (at + 4 + length > answer.length) return undefined;
    if (answer.readUInt16BE(at) === wanted) return answer.subarray(at + 4, at + 4 + length);
    at += 4 + Math.ceil(length / 4) * 4;
  }
  return undefined;
}

function isSuccess(answer: Buffer): boolean {
  return (answer.readUInt16BE(0) & FAILURE) === SUCCESS;
}

function reasonOf(answer: Buffer): string {
  const error = attributeOf(answer, ERROR_CODE);
  if (error === undefined || error.length < 4) return "it does not say why";
  const code = (error[2] ?? 0) * 100 + (error[3] ?? 0);
  return `${code} ${error.subarray(4).toString()}`.trim();
}

/** The relayed address, IPv4. */
function addressOf(answer: Buffer): string {
  const value = attributeOf(answer, XOR_RELAYED_ADDRESS);
  if (value === undefined || value.length < 8 || value[1] !== 1) return "an address it does not tell";
  const bytes = [0, 1, 2, 3].map(i => (value[4 + i] ?? 0) ^ (COOKIE[i] ?? 0));
  return `${bytes.join(".")}:${value.readUInt16BE(2) ^ COOKIE.readUInt16BE(0)}`;
}
