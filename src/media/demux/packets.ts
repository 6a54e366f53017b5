import { EncodedPacket, EncodedPacketSink, type InputTrack } from "mediabunny";
import { CidcastError } from "../../core/index.ts";
import { FRAME_MAX_BYTES } from "../limits.ts";
import type { MediaPacket, PacketOptions, PacketReader } from "./track.ts";

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
    next: (packet, options) => read(() => sink.getNextPacket(own(packet), full(options))),
  };
}

/** The demuxer finds the next packet by its own object alone. */
function own(packet: MediaPacket): EncodedPacket {
  if (packet instanceof EncodedPacket) return packet;
  throw new TypeError("This packet comes from another reader");
}
