import { describe, expect, it } from "vitest";
import { withOpusStereo } from "./opus-stereo.ts";

const lines = (...text: string[]) => `${text.join("\r\n")}\r\n`;

describe("withOpusStereo", () => {
  it("adds stereo to the parameters of Opus and to no other codec's", () => {
    const sdp = lines(
      "a=rtpmap:111 opus/48000/2",
      "a=fmtp:111 minptime=10;useinbandfec=1",
      "a=fmtp:102 level=1",
    );
    expect(withOpusStereo(sdp)).toBe(
      lines(
        "a=rtpmap:111 opus/48000/2",
        "a=fmtp:111 minptime=10;useinbandfec=1;stereo=1",
        "a=fmtp:102 level=1",
      ),
    );
  });

  it("adds a line of parameters where there is none", () => {
    expect(withOpusStereo(lines("a=rtpmap:96 opus/48000/2", "a=mid:1"))).toBe(
      lines("a=rtpmap:96 opus/48000/2", "a=fmtp:96 stereo=1", "a=mid:1"),
    );
  });

  it("leaves a choice that was made, and descriptions without Opus, as they are", () => {
    for (const sdp of [
      lines("a=rtpmap:111 opus/48000/2", "a=fmtp:111 stereo=0"),
      lines("a=rtpmap:102 H264/90000", "a=fmtp:102 profile-level-id=42e01f"),
      "",
    ]) {
      expect(withOpusStereo(sdp)).toBe(sdp);
    }
  });
});
