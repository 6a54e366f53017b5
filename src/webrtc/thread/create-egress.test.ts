import { createSocket, type Socket } from "node:dgram";
import { once } from "node:events";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { CidcastError, isCidcastError } from "../../core/index.ts";
import { loadNative } from "../rtp/egress/index.ts";
import { createEgress } from "./create-egress.ts";

const available = await loadNative().then(
  () => true,
  () => false,
);
let socket: Socket;
beforeEach(async () => {
  socket = createSocket("udp4");
  socket.bind(0, "127.0.0.1");
  await once(socket, "listening");
});
afterEach(() => socket.close());

const onFallback = (): void => undefined;
const load = () => Promise.reject(new CidcastError("FEATURE_DISABLED", "there is no koffi"));

describe("the choice of an egress", () => {
  it.runIf(available)("is batched where that can be had, unless plain JavaScript is wanted", async () => {
    expect((await createEgress({ socket, kind: "auto", onFallback })).egress.kind).toBe("batched");
    expect((await createEgress({ socket, kind: "batched", onFallback })).egress.kind).toBe("batched");
    expect((await createEgress({ socket, kind: "js", onFallback })).egress.kind).toBe("js");
  });

  it("is plain JavaScript, with the reason, where native code is not to be had", async () => {
    const { egress, reason } = await createEgress({ socket, kind: "auto", onFallback, load });
    expect(egress.kind).toBe("js");
    expect(reason).toBe("there is no koffi");
  });

  it("fails when only batched will do", async () => {
    const refused = await createEgress({ socket, kind: "batched", onFallback, load }).catch(
      (error: unknown) => error,
    );
    expect(isCidcastError(refused, "FEATURE_DISABLED")).toBe(true);
  });
});
