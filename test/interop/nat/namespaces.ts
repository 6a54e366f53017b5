import { execFileSync } from "node:child_process";
import { type DebianProgram, findDebianProgram } from "../debian.ts";
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
  const builder = new Builder(nft);
  try {
    return builder.build(nat);
  } catch (error) {
    builder.close();
    const why = error instanceof Error ? error.message : String(error);
    return { missing: peerMissing("network-namespaces", `they cannot be made here: ${why}`) };
  }
}

class Builder {
  readonly #nft: DebianProgram;
  readonly #id = `cc${process.pid}`;
  readonly #names: string[] = [];
  #links = 0;

  constructor(nft: DebianProgram) {
    this.#nft = nft;
  }

  close(): void {
    for (const namespace of this.#names) run("ip", ["netns", "del", namespace], true);
  }

  build(nat: NatKind): Internet {
    const core = this.#namespace("core");
    const relay = this.#namespace("relay");
    const outer = this.#cable(core, "5.0.1.1/24", relay, "5.0.1.2/24");
    this.#inside(relay, `ip addr add 5.0.1.3/24 dev ${outer}`);
    this.#inside(relay, "ip route add default via 5.0.1.1");
    this.#inside(core, "sysctl -qw net.ipv4.ip_forward=1");
    const [homeA = "", homeA2 = ""] = this.#home(core, nat, {
      name: "A",
      lan: "10.1",
      wan: "5.0.2",
      machines: 2,
    });
    const [homeB = ""] = this.#home(core, nat, { name: "B", lan: "10.2", wan: "5.0.3", machines: 1 });
    return {
      relay,
      homeA,
      homeA2,
      homeB,
      relayAddress: "5.0.1.2",
      witnessAddress: "5.0.1.3",
      [Symbol.dispose]: () => this.close(),
    };
  }

  /** A router with a NAT, and the machines behind it; gives their namespaces. */
  #home(
    core: string,
    nat: NatKind,
    home: { readonly name: string; readonly lan: string; readonly wan: string; readonly machines: number },
  ): string[] {
    const { name, lan, wan, machines } = home;
    const gateway = this.#namespace(`gw${name}`);
    const outer = this.#cable(core, `${wan}.1/24`, gateway, `${wan}.2/24`);
    this.#inside(gateway, `ip route add default via ${wan}.1`);
    this.#inside(gateway, "ip link add lan type bridge");
    this.#inside(gateway, `ip addr add ${lan}.0.1/24 dev lan`);
    this.#inside(gateway, "ip link set lan up");
    const behind = Array.from({ length: machines }, (_, index) => {
      const machine = this.#namespace(`home${name}${index}`);
      const [left, right] = this.#link(gateway, machine);
      this.#inside(gateway, `ip link set ${left} master lan`);
      this.#inside(gateway, `ip link set ${left} up`);
      this.#inside(machine, `ip addr add ${lan}.0.${index + 2}/24 dev ${right}`);
      this.#inside(machine, `ip link set ${right} up`);
      this.#inside(machine, `ip route add default via ${lan}.0.1`);
      return machine;
    });
    this.#inside(gateway, "sysctl -qw net.ipv4.ip_forward=1");
    natBetween(command => this.#inside(gateway, command), outer, nat);
    return behind;
  }

  #namespace(part: string): string {
    const namespace = `${this.#id}-${part}`;
    run("ip", ["netns", "add", namespace]);
    this.#names.push(namespace);
    this.#inside(namespace, "ip link set lo up");
    return namespace;
  }

  /** A cable between two namespaces; gives the names of its ends. */
  #link(one: string, other: string): [string, string] {
    const [left, right] = [`${this.#id}l${this.#links}`, `${this.#id}r${this.#links++}`];
    run("ip", ["link", "add", left, "netns", one, "type", "veth", "peer", "name", right, "netns", other]);
    return [left, right];
  }

  /** A cable with an address at each end; gives the name of the second end. */
  #cable(one: string, oneAt: string, other: string, otherAt: string): string {
    const [left, right] = this.#link(one, other);
    for (const [namespace, device, at] of [
      [one, left, oneAt],
      [other, right, otherAt],
    ] as const) {
      this.#inside(namespace, `ip addr add ${at} dev ${device}`);
      this.#inside(namespace, `ip link set ${device} up`);
    }
    return right;
  }

  #inside(namespace: string, command: string): void {
    const [program = "", ...args] = command.split(" ");
    const path = program === "nft" ? this.#nft.path : program;
    execFileSync("ip", ["netns", "exec", namespace, path, ...args], {
      stdio: ["ignore", "ignore", "pipe"],
      env: { ...process.env, ...this.#nft.env },
    });
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
