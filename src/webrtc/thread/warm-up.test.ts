import { expect, test } from "vitest";
import { UdpMux } from "../net/index.ts";
import { createPeerFactory } from "../werift/index.ts";
import { createEgress } from "./create-egress.ts";
import { warmUp } from "./warm-up.ts";

test("the thread connects to itself before the first viewer comes, and leaves nothing open", async () => {
  const mux = await UdpMux.listen({ host: "127.0.0.1", port: 0 });
  const { egress } = await createEgress({ socket: mux.socket, kind: "js", onFallback: () => undefined });
  const addresses = [mux.address.address];
  const peers = await createPeerFactory({ mux, addresses, stunServer: undefined });
  expect(await warmUp({ peers, egress, host: "127.0.0.1" })).toBe(true);
  expect(mux.size).toBe(0);
  egress.close();
  await mux.close();
});
