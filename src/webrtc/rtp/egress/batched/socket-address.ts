import type { Socket } from "node:dgram";
import { CidcastError } from "../../../../core/index.ts";
import type { NativeCalls } from "./native.ts";
import { nativeBuffer } from "./native-sealer.ts";

const AF_INET = 2;
const AF_INET6 = 10;
const IPV4_BYTES = 16;
const IPV6_BYTES = 28;

/** Descriptor of a bound socket, which Node keeps to itself; -1 when this Node keeps it elsewhere. */
export function descriptorOf(socket: Socket): number {
  const symbol = Object.getOwnPropertySymbols(socket).find(key => key.description === "state symbol");
  // Nothing is taken for granted of the private field: each step may be missing.
  const state = symbol === undefined ? undefined : Reflect.get(socket, symbol);
  const fd: unknown = state?.handle?.fd;
  return typeof fd === "number" && fd >= 0 ? fd : -1;
}

/** The address as a `sockaddr` of the socket's family. `INVALID_REQUEST` when the socket cannot send to it. */
export function socketAddress(calls: NativeCalls, family: string, host: string, port: number): Buffer {
  const made = family === "IPv6" ? ipv6(calls, host) : ipv4(calls, host);
  if (made === undefined) {
    throw new CidcastError("INVALID_REQUEST", `${host} is no address that an ${family} socket sends to`);
  }
  made.writeUInt16BE(port, 2);
  return made;
}

function ipv4(calls: NativeCalls, host: string): Buffer | undefined {
  const made = nativeBuffer(IPV4_BYTES);
  const address = nativeBuffer(4);
  if (calls.inetPton(AF_INET, host.replace(/^::ffff:/i, ""), address) !== 1) return undefined;
  made.writeUInt16LE(AF_INET, 0);
  address.copy(made, 4);
  return made;
}

function ipv6(calls: NativeCalls, host: string): Buffer | undefined {
  const made = nativeBuffer(IPV6_BYTES);
  const address = nativeBuffer(16);
  const [text = "", zone] = host.split("%");
  const whole = text.includes(":") ? text : `::ffff:${text}`;
  if (calls.inetPton(AF_INET6, whole, address) !== 1) return undefined;
  made.writeUInt16LE(AF_INET6, 0);
  address.copy(made, 8);
  if (zone !== undefined)
    made.writeUInt32LE(/^\d+$/.test(zone) ? Number(zone) : calls.interfaceIndex(zone), 24);
  return made;
}
