import {
  RTCRtpCodecParameters,
  type RTCRtpHeaderExtensionParameters,
  useNACK,
  usePLI,
  useSdesMid,
  useTransportWideCC,
  useTWCC,
} from "werift";
import type { RtpCodec } from "../../media/index.ts";

interface CodecInit {
  readonly mimeType: string;
  readonly payloadType: number;
  readonly clockRate: number;
  readonly channels?: number;
  readonly parameters?: string;
  /** Payload type of its retransmissions. */
  readonly rtx?: number;
  /** Payload type in which its packets carry the one before along (RFC 2198). */
  readonly red?: number;
}

/** Payload types as Chromium numbers them, so that SDPs read alike. High profile is offered as constrained baseline: all decode it. */
const CODECS: Readonly<Record<RtpCodec, CodecInit>> = {
  h264: {
    mimeType: "video/H264",
    payloadType: 102,
    clockRate: 90_000,
    parameters: "level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42e01f",
    rtx: 103,
  },
  vp8: { mimeType: "video/VP8", payloadType: 96, clockRate: 90_000, rtx: 97 },
  vp9: { mimeType: "video/VP9", payloadType: 98, clockRate: 90_000, parameters: "profile-id=0", rtx: 99 },
  av1: { mimeType: "video/AV1", payloadType: 45, clockRate: 90_000, rtx: 46 },
  opus: {
    mimeType: "audio/opus",
    payloadType: 111,
    clockRate: 48_000,
    channels: 2,
    parameters: "minptime=10;useinbandfec=1;stereo=1",
    red: 63,
  },
};

const RED = "audio/red";

/** True for the format in which sound carries the packet before along. */
export function isRed({ mimeType }: { readonly mimeType: string }): boolean {
  return mimeType.toLowerCase() === RED;
}

/**
 * Payload type of redundant sound where a description of the viewer's has the format as we number it; undefined: it is not sent. The
 * package takes it for agreed whenever its codec is.
 */
export function redPayloadTypeIn(sdp: string, codec: RtpCodec): number | undefined {
  const { red, payloadType } = CODECS[codec];
  if (red === undefined) return undefined;
  const named = new RegExp(`^a=rtpmap:${red} red/48000`, "im").test(sdp);
  const ofOurs = new RegExp(`^a=fmtp:${red} ${payloadType}/${payloadType}`, "m").test(sdp);
  return named && ofOurs ? red : undefined;
}

/** Clock rate of a codec's RTP time. */
export function clockRateOf(codec: RtpCodec): number {
  return CODECS[codec].clockRate;
}

/** A codec and, for video, its retransmission format. New objects each time: the package writes into them. */
export function codecParameters(codec: RtpCodec): RTCRtpCodecParameters[] {
  const { rtx, red, ...init } = CODECS[codec];
  const video = init.mimeType.startsWith("video/");
  const main = new RTCRtpCodecParameters({
    ...init,
    rtcpFeedback: video ? [useNACK(), usePLI(), useTWCC()] : [useTWCC()],
  });
  if (red !== undefined) {
    const { clockRate, channels, payloadType } = init;
    const carrying = { mimeType: RED, payloadType: red, clockRate, channels: channels ?? 1 };
    return [main, new RTCRtpCodecParameters({ ...carrying, parameters: `${payloadType}/${payloadType}` })];
  }
  if (rtx === undefined) return [main];
  const again = new RTCRtpCodecParameters({
    mimeType: "video/rtx",
    payloadType: rtx,
    clockRate: init.clockRate,
    parameters: `apt=${init.payloadType}`,
  });
  return [main, again];
}

/**
 * Header extensions of audio and video: the same objects in both lists, because the package numbers audio's and then
 * video's anew, and a bundle needs one number for each.
 */
export function headerExtensions(): {
  readonly video: RTCRtpHeaderExtensionParameters[];
  readonly audio: RTCRtpHeaderExtensionParameters[];
} {
  const shared = [useTransportWideCC(), useSdesMid()];
  return { video: [...shared], audio: [...shared] };
}
