import { BlockList, isIPv4, isIPv6 } from "node:net";

/** Says whether a web request may go to an address. */
export type AddressPolicy = (address: string) => boolean;

/** @see https://www.iana.org/assignments/iana-ipv4-special-registry and Azure's and Alibaba's metadata addresses */
const PRIVATE_IPV4: readonly (readonly [string, number])[] = [
  ["0.0.0.0", 8],
  ["10.0.0.0", 8],
  ["100.64.0.0", 10],
  ["127.0.0.0", 8],
  ["168.63.129.16", 32],
  ["169.254.0.0", 16],
  ["172.16.0.0", 12],
  ["192.0.0.0", 24],
  ["192.0.2.0", 24],
  ["192.31.196.0", 24],
  ["192.52.193.0", 24],
  ["192.88.99.0", 24],
  ["192.168.0.0", 16],
  ["192.175.48.0", 24],
  ["198.18.0.0", 15],
  ["198.51.100.0", 24],
  ["203.0.113.0", 24],
  ["224.0.0.0", 4],
  ["240.0.0.0", 4],
];

/**
 * Inside 2000::/3, the only range that is routed, these are not public: special purposes, documentation, and what carries
 * an IPv4 address inside (Teredo, 6to4). @see https://www.iana.org/assignments/iana-ipv6-special-registry
 */
const SPECIAL_IPV6: readonly (readonly [string, number])[] = [
  ["2001::", 23],
  ["2001:db8::", 32],
  ["2002::", 16],
  ["2620:4f:8000::", 48],
  ["3fff::", 20],
];

const privateIpv4 = new BlockList();
for (const [net, prefix] of PRIVATE_IPV4) privateIpv4.addSubnet(net, prefix, "ipv4");
const routedIpv6 = new BlockList();
routedIpv6.addSubnet("2000::", 3, "ipv6");
const specialIpv6 = new BlockList();
for (const [net, prefix] of SPECIAL_IPV6) specialIpv6.addSubnet(net, prefix, "ipv6");

/** Lets through what is on the public internet; everything else, also what cannot be read, stays out. */
export const publicAddressesOnly: AddressPolicy = address => {
  if (isIPv4(address)) return !privateIpv4.check(address, "ipv4");
  // A zone names an interface of this machine: never public.
  if (!isIPv6(address) || address.includes("%")) return false;
  return routedIpv6.check(address, "ipv6") && !specialIpv6.check(address, "ipv6");
};
