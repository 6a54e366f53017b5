export { ConnectionGate, type DialPolicy } from "./connection-gate.ts";
export { parseMultiaddr, toPeerError } from "./peer-errors.ts";
