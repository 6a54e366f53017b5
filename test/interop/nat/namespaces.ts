import { execFileSync } from "node:child_process";
import { findDebianProgram } from "../debian.ts";
import { peerMissing } from "../peers.ts";

/** How a NAT maps an inner end: to one outer port for all, or to another one for each. */
export type NatKind = "endpoint-independent" | "endpoint-dependent";

/** A small internet: a relay at a public address, and two homes behind NATs. Public addresses are of a range that nobody reaches from here. */
export interface Internet extends Disposable {
  /** Namespaces in which nodes run. */
  readonly relay: string;
  readonly homeA: string;
  /** A second machine of the first home. */
  readonly homeA2: string;
  readonly homeB: string;
  readonly relayAddress: string;
  /** Another address of the relay's machine: who is there sees what another host sees. */
  readonly witnessAddress: string;
}

/** The namespaces, or why there are none. */
export function makeInternet(nat: NatKind): Internet | { readonly missing: string } {
  const nft = findDebianProgram("nftables", "nft");
  if (typeof nft === "string") return { missing: nft };
  const id = `cc${process.pid}`;
  const name = (part: string): string => `${id}-${part}`;
  const names = ["core", "relay", "gwA", "gwB", "homeA", "homeA2", "homeB"].map(name);
  const [core = "", relay = "", gwA = "", gwB = "", homeA = "", homeA2 = "", homeB = ""] = names;
  const close = (): void => {
    for (const namespace of names) run("ip", ["netns", "del", namespace], true);
  };
  const inside = (namespace: string, command: string): void => {
    const [program = "", ...args] = command.split(" ");
    const path = program === "nft" ? nft.path : program;
    execFileSync("ip", ["netns", "exec", namespace, path, ...args], {
      stdio: ["ignore", "ignore", "pipe"],
      env: { ...process.env, ...nft.env },
    });
  };
  try {
    for (const namespace of names) {
      run("ip", ["netns", "add", namespace]);
      inside(namespace, "ip link set lo up");
    }
    let links = 0;
    /** A cable between two namespaces, with an address at each end. */
    const cable = (one: string, oneAt: string, other: string, otherAt: string): void => {
      const [left, right] = [`${id}l${links}`, `${id}r${links++}`];
      run("ip", ["link", "add", left, "netns", one, "type", "veth", "peer", "name", right, "netns", other]);
      for (const [namespace, device, at] of [
        [one, left, oneAt],
        [other, right, otherAt],
      ] as const) {
        inside(namespace, `ip addr add ${at} dev ${device}`);
        inside(namespace, `ip link set ${device} up`);
      }
    };
    const route = (namespace: string, via: string): void =>
      inside(namespace, `ip route add default via ${via}`);
    cable(core, "5.0.1.1/24", relay, "5.0.1.2/24");
    inside(relay, `ip addr add 5.0.1.3/24 dev ${id}r0`);
    route(relay, "5.0.1.1");
    inside(core, "sysctl -qw net.ipv4.ip_forward=1");
    for (const [gateway, homes, lan, wan] of [
      [gwA, [homeA, homeA2], "10.1", "5.0.2"],
      [gwB, [homeB], "10.2", "5.0.3"],
    ] as const) {
      const outer = `${id}r${links}`;
      cable(core, `${wan}.1/24`, gateway, `${wan}.2/24`);
      route(gateway, `${wan}.1`);
      inside(gateway, "ip link add lan type bridge");
      inside(gateway, `ip addr add ${lan}.0.1/24 dev lan`);
      inside(gateway, "ip link set lan up");
      for (const [index, home] of homes.entries()) {
        const [left, right] = [`${id}l${links}`, `${id}r${links++}`];
        run("ip", [
          "link",
          "add",
          left,
          "netns",
          gateway,
          "type",
          "veth",
          "peer",
          "name",
          right,
          "netns",
          home,
        ]);
        inside(gateway, `ip link set ${left} master lan`);
        inside(gateway, `ip link set ${left} up`);
        inside(home, `ip addr add ${lan}.0.${index + 2}/24 dev ${right}`);
        inside(home, `ip link set ${right} up`);
        route(home, `${lan}.0.1`);
      }
      inside(gateway, "sysctl -qw net.ipv4.ip_forward=1");
      natBetween(command => inside(gateway, command), outer, nat);
    }
    return {
      relay,
      homeA,
      homeA2,
      homeB,
      relayAddress: "5.0.1.2",
      witnessAddress: "5.0.1.3",
      [Symbol.dispose]: close,
    };
  } catch (error) {
    close();
    const why = error instanceof Error ? error.message : String(error);
    return { missing: peerMissing("network-namespaces", `they cannot be made here: ${why}`) };
  }
}

/** What home routers do: everything out goes by one address, nothing comes in that nobody inside has asked for. */
function natBetween(inside: (command: string) => void, outer: string, nat: NatKind): void {
  const random = nat === "endpoint-dependent" ? " fully-random" : "";
  for (const command of [
    "nft add table ip home",
    "nft add chain ip home post { type nat hook postrouting priority 100 ; }",
    `nft add rule ip home post oifname ${outer} masquerade${random}`,
    "nft add chain ip home in { type filter hook input priority 0 ; }",
    `nft add rule ip home in iifname ${outer} ct state established,related accept`,
    `nft add rule ip home in iifname ${outer} drop`,
    "nft add chain ip home through { type filter hook forward priority 0 ; }",
    `nft add rule ip home through iifname ${outer} ct state established,related accept`,
    `nft add rule ip home through iifname ${outer} drop`,
  ]) {
    inside(command);
  }
}

function run(program: string, args: readonly string[], mayFail = false): void {
  try {
    execFileSync(program, args, { stdio: ["ignore", "ignore", "pipe"] });
  } catch (error) {
    if (!mayFail) throw error;
  }
}
