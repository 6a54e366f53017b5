/** Longest run of frames in one segment, seconds. A seek or a lost viewer costs at most that much wasted work. */
export const SEGMENT_MAX_SECONDS = 1;

/** Most frames in one segment: a file that claims a thousand frames a second gets shorter segments, not larger ones. */
export const SEGMENT_MAX_FRAMES = 300;

/** Largest encoded frame taken from a file, bytes: above it the file is damaged. An intra frame of 8K video stays below. */
export const FRAME_MAX_BYTES = 16 * 1024 * 1024;

/** Encoded media kept for all viewers together, bytes. About ten minutes of 720p. */
export const GOP_STORE_MAX_BYTES = 256 * 1024 * 1024;

/** Probe results kept, by CID. A result has about 2 kB. */
export const PROBE_CACHE_MAX_ENTRIES = 1000;

/** Longest that a probe may take, milliseconds, reads from the network included. */
export const PROBE_TIMEOUT_MS = 20_000;

/** Most bytes that a probe may read: a crafted file must not make the node read all of a large one. */
export const PROBE_MAX_READ_BYTES = 64 * 1024 * 1024;

/** Most reads of one probe. A transport stream without an index needs several hundred. */
export const PROBE_MAX_READS = 4000;

/** Tracks of one file that are looked at; real files have a handful, concert recordings a few dozen. */
export const MAX_TRACKS = 64;

/** Packets looked at in decode order for pictures out of order, from the start and again at three later places. */
export const REORDER_SAMPLE_PACKETS = 240;

/** Bytes that the demuxer keeps of one open file. */
export const DEMUX_CACHE_BYTES = 8 * 1024 * 1024;

/** Ranges remembered of what was read of one open file: reads are seldom below 64 KiB, so these cover what is kept. */
export const DEMUX_READS_KEPT = 128;

/** Bytes that are looked through for the place of one packet. */
export const PLACE_MAX_SEARCH_BYTES = 2 * DEMUX_CACHE_BYTES;

/** Opus jobs at a time: one takes about 3 % of a core. */
export const MAX_AUDIO_JOBS = 16;

/** Encoder processes kept ready while nothing needs them: starting one takes 250 ms. */
export const WARM_ENCODERS = 1;

/** Idle encoder processes kept for reuse for a while, the warm ones included. Each holds about 120 MB. */
export const MAX_IDLE_ENCODERS = 2;

/** How long a surplus idle encoder process is kept, milliseconds. */
export const IDLE_ENCODER_MS = 30_000;

/** How far ahead of the furthest reader a job runs, seconds. */
export const TRANSCODE_RUN_AHEAD_SECONDS = 6;

/** A job that nobody has asked anything for so long is stopped, milliseconds. Long enough for a reader that has its buffer full. */
export const TRANSCODE_IDLE_MS = 10_000;

/** A job whose readers have closed their handles while others keep the file open is stopped after this, milliseconds. */
export const TRANSCODE_ORPHAN_MS = 2000;

/** Longest that a child may work on one batch of packets, milliseconds; beyond, it is taken for hung. */
export const TRANSCODE_STALL_MS = 15_000;

/** Longest that an encoder process may take to be ready, milliseconds: a second on an idle machine, many on a crowded one. */
export const ENCODER_START_MS = 60_000;

/** Largest picture that a live transcode makes, pixels of the long and the short side. */
export const TRANSCODE_MAX_LONG_SIDE = 1280;
export const TRANSCODE_MAX_SHORT_SIDE = 720;

/** Largest picture that is decoded for a transcode, pixels: 8K. Above it memory and time grow past what a viewer waits for. */
export const TRANSCODE_MAX_SOURCE_PIXELS = 7680 * 4320;

/** Most samples that a track's tables may name: a day at 100 per second. */
export const MAX_TABLE_SAMPLES = 10_000_000;
/** Largest index of an MP4 that is looked through, bytes: that of a day is under 32 MiB. */
export const MAX_MOOV_BYTES = 64 * 1024 * 1024;
/** Most boxes of a file before its index: real files have a few; each costs a read. */
export const MAX_BOXES_BEFORE_MOOV = 1000;

/** Length of a segment of a prepared ladder, seconds: the unit that is made, kept and resumed. */
export const PREPARE_SEGMENT_SECONDS = 4;

/** Segments that one encoder makes in a row: it decodes them in one go. */
export const PREPARE_SPAN_SEGMENTS = 8;

/** How long a node has a job to itself without a sign of life, milliseconds; it gives one three times as often. */
export const PREPARE_LEASE_MS = 90_000;

/** Jobs that may wait at a time. */
export const PREPARE_MAX_QUEUED = 1000;

/** Jobs that are over and can still be asked for. */
export const PREPARE_JOBS_KEPT = 200;

/** Most jobs in one list. */
export const PREPARE_MAX_LISTED = 1000;

/** Most encoders that prepare at a time, whatever the machine has. */
export const PREPARE_MAX_WORKERS = 64;

/** Longest that an encoder may take for a batch of pictures while it prepares, milliseconds: it gives way to viewers. */
export const PREPARE_STALL_MS = 180_000;

/** Longest that an idle encoder that prepares may take for a sign of life, milliseconds: on a crowded machine it waits for its turn. */
export const PREPARE_PING_MS = 30_000;

/** Bytes of segments that wait to be written: above that encoders wait. */
export const PREPARE_MAX_UNWRITTEN_BYTES = 32 * 1024 * 1024;

/** Bytes that the disk must have left once a ladder is made. */
export const PREPARE_MIN_FREE_BYTES = 256 * 1024 * 1024;

/** Files read by FFmpeg's demuxer at a time, each by a process of about 100 MB. */
export const MAX_DEMUX_PROCESSES = 16;

/** Places of a track at which such a demuxer reads at a time: viewers elsewhere make the longest unused one go there. */
export const MAX_DEMUX_CURSORS = 12;

/** Longest that such a demuxer may be silent while it has all bytes it asked for, milliseconds. */
export const DEMUX_STALL_MS = 15_000;

/** Times that a file may make its demuxer crash before it is given up. */
export const DEMUX_MAX_CRASHES = 2;

/** Longest that an idle encoder process may take for a sign of life before it is replaced, milliseconds. */
export const ENCODER_PING_MS = 2000;

/** Captions of one track: a film has some two thousand. */
export const CAPTIONS_MAX_CUES = 20_000;

/** Text tracks of one file. */
export const CAPTIONS_MAX_TRACKS = 64;

/** Largest caption file, bytes: one with every cue has some two million. */
export const CAPTIONS_MAX_BYTES = 16 * 1024 * 1024;

/** What may be read of a media file to find its text, bytes: Matroska keeps it between the pictures. */
export const CAPTIONS_MAX_READ_BYTES = 4 * 1024 * 1024 * 1024;

/** Caption files that can be attached to one CID. */
export const CAPTIONS_MAX_ATTACHED = 64;

/** Single pictures that are made at a time: each has a decoder to itself. */
export const FRAME_MAX_AT_ONCE = 2;

/** Single pictures that may wait for their turn. */
export const FRAME_MAX_WAITING = 64;

/** Media that ends so much before its stated length is cut off or damaged, seconds: what files say is no more exact. */
export const EARLY_END_SECONDS = 1;
