import { RTCPeerConnection, RTCDataChannel, RTCDataChannelParameters, type RTCSctpTransport } from "werift";
import { expect, test } from "vitest";
import { CONTROL_LABEL, ControlChannels, MAX_VIEWER_CHANNELS } from "./control-channels.ts";

test("a viewer opens so many channels, whatever their label; further ones are closed", async () => {
  const pc = new RTCPeerConnection();
  let open = 0;
  const channels = new ControlChannels({
    pc,
    onOpen: () => {
      open++;
    },
    onOther: () => true,
    onMessage: () => undefined,
  });
  const made = Array.from({ length: MAX_VIEWER_CHANNELS + 1 }, (_, id) => {
    const closed: number[] = [];
    const transport = {
      datachannelSend: () => undefined,
      dataChannelClose: () => closed.push(id),
    } as unknown as RTCSctpTransport;
    const label = id === 0 ? "other" : CONTROL_LABEL;
    const channel = new RTCDataChannel(transport, new RTCDataChannelParameters({ label, id }), false);
    channel.setReadyState("open");
    pc.onDataChannel.execute(channel);
    return closed;
  });
  expect(made.map(closed => closed.length)).toEqual([...made.slice(1).map(() => 0), 1]);
  expect(open).toBe(MAX_VIEWER_CHANNELS - 1);
  channels.close();
  await pc.close();
});
