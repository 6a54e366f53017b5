export { ConnectionGate } from "./connection-gate.ts";
export { KeepConnected } from "./keep-connected.ts";
export type { NodeServices } from "./libp2p-node.ts";
export { parseMultiaddr, toPeerError } from "./peer-errors.ts";
