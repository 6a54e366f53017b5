import { type EncodedPacket, EncodedPacketSink, type InputTrack } from "mediabunny";
import { CidcastError } from "../../core/index.ts";
import { FRAME_MAX_BYTES } from "../limits.ts";

/** Reads a track's packets. What is damaged reads as the end: a broken file plays as far as it goes. */
export interface PacketReader {
  /** The first packet in decode order. */
  first(options?: PacketOptions): Promise<EncodedPacket | undefined>;
  /** The packet shown at `timeSeconds`: the last that starts at or before it. */
  at(timeSeconds: number, options?: PacketOptions): Promise<EncodedPacket | undefined>;
  /** The last true keyframe at or before `timeSeconds`; the first keyframe when there is none before. */
  keyAt(timeSeconds: number, options?: PacketOptions): Promise<EncodedPacket | undefined>;
  /** The packet after `packet` in decode order. */
  next(packet: EncodedPacket, options?: PacketOptions): Promise<EncodedPacket | undefined>;
}

export interface PacketOptions {
  /** Times and kinds only: the bytes are not read. */
  readonly metadataOnly?: boolean;
}

/** A reader of `track`. `onDamage` hears why reading ended early. */
export function packetReader(
  track: InputTrack,
  onDamage: (error: unknown) => void,
  maxFrameBytes = FRAME_MAX_BYTES,
): PacketReader {
  const sink = new EncodedPacketSink(track);
  const read = async (work: () => Promise<EncodedPacket | null>): Promise<EncodedPacket | undefined> => {
    try {
      const packet = (await work()) ?? undefined;
      if (packet === undefined || packet.byteLength <= maxFrameBytes) return packet;
      throw new RangeError(`A frame of ${packet.byteLength} bytes is larger than ${maxFrameBytes}`);
    } catch (error) {
      // Errors of the content layer (a missing or corrupt block, a closed file) are not the end of the media.
      if (error instanceof CidcastError || track.input.disposed) throw error;
      onDamage(error);
      return undefined;
    }
  };
  const verified = track.isVideoTrack();
  const full = (options?: PacketOptions) => ({
    metadataOnly: options?.metadataOnly ?? false,
    verifyKeyPackets: verified && options?.metadataOnly !== true,
  });
  return {
    first: options => read(() => sink.getFirstPacket(full(options))),
    at: (timeSeconds, options) => read(() => sink.getPacket(timeSeconds, full(options))),
    keyAt: async (timeSeconds, options) =>
      (await read(() => sink.getKeyPacket(timeSeconds, full(options)))) ??
      (await read(() => sink.getFirstKeyPacket(full(options)))),
    next: (packet, options) => read(() => sink.getNextPacket(packet, full(options))),
  };
}
