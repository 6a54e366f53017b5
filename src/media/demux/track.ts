import type { AudioCodec, VideoCodec } from "../types.ts";
import type { PacketSample } from "./reorder.ts";

/** An encoded frame as it lies in a file. */
export interface MediaPacket {
  readonly data: Uint8Array;
  readonly byteLength: number;
  readonly type: "key" | "delta";
  /** When it is shown, seconds. */
  readonly timestamp: number;
  /** Seconds; 0 where the file does not tell. */
  readonly duration: number;
  /** Where it begins in the file, bytes; undefined where the demuxer does not say. */
  readonly position?: number | undefined;
}

export interface PacketOptions {
  /** Times and kinds only: the bytes need not be read. */
  readonly metadataOnly?: boolean;
}

/** Reads a track's packets. What is damaged reads as the end: a broken file plays as far as it goes. */
export interface PacketReader {
  /** The first packet in decode order. */
  first(options?: PacketOptions): Promise<MediaPacket | undefined>;
  /** The packet shown at `timeSeconds`: the last that starts at or before it. */
  at(timeSeconds: number, options?: PacketOptions): Promise<MediaPacket | undefined>;
  /** The last true keyframe at or before `timeSeconds`; the first keyframe when there is none before. */
  keyAt(timeSeconds: number, options?: PacketOptions): Promise<MediaPacket | undefined>;
  /** The packet after `packet`, which this reader gave, in decode order. */
  next(packet: MediaPacket, options?: PacketOptions): Promise<MediaPacket | undefined>;
}

/** What a demuxer finds out about a track, and the way to its packets. */
interface DemuxedTrackBase {
  /** Codec with profile and level as in RFC 6381, where known. */
  readonly codecString: string | undefined;
  readonly durationSeconds: number;
  readonly bitrateBps: number | undefined;
  readonly language: string | undefined;
  /** False when the file does not say how the decoder is set up. */
  readonly decodable: boolean;
  /** What a decoder is told beside the codec. */
  readonly setup: DecoderSetup;
  /** A reader of its packets; `onDamage` hears why reading ended early. */
  packets(onDamage: (error: unknown) => void, maxFrameBytes?: number): PacketReader;
}

/** How a track's decoder is set up. */
export interface DecoderSetup {
  /** The demuxer's own name of the codec: tells the flavours of PCM apart. */
  readonly flavour: string;
  /** Setup bytes of the codec. */
  readonly description?: Uint8Array | undefined;
  /** The codec in FFmpeg's numbers, where its demuxer has read the file. */
  readonly libraryCodec?: LibraryCodec | undefined;
}

/** A codec as FFmpeg's demuxer hands it to FFmpeg's decoder. */
export interface LibraryCodec {
  readonly id: number;
  /** The container's four characters for it, as a number: some decoders work around what encoders of that name did wrong. */
  readonly tag: number;
  readonly bitsPerSample: number;
}

export interface DemuxedVideo extends DemuxedTrackBase {
  readonly kind: "video";
  readonly codec: VideoCodec;
  /** Picture size as displayed: rotation and pixel aspect applied. */
  readonly width: number;
  readonly height: number;
  readonly codedWidth: number;
  readonly codedHeight: number;
  readonly squarePixels: boolean;
  /** Degrees clockwise to display. */
  readonly rotation: 0 | 90 | 180 | 270;
  /** Mirrored left to right once it is turned. */
  readonly mirrored: boolean;
  /** The file has a table of all packets: looking at their times reads nothing more. */
  readonly indexed: boolean;
  /** What the demuxer has seen of the order of pictures. */
  readonly sample?: PacketSample | undefined;
}

export interface DemuxedAudio extends DemuxedTrackBase {
  readonly kind: "audio";
  readonly codec: AudioCodec;
  readonly channels: number;
  readonly sampleRate: number;
}

export type DemuxedTrack = DemuxedVideo | DemuxedAudio;
