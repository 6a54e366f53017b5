/** Name of the protocol on libp2p. */
export const CONTENT_PROTOCOL = "/ipfs-kit/content/1.0.0";

/** Largest block, bytes. @see https://specs.ipfs.tech/bitswap-protocol/#block-sizes */
export const MAX_BLOCK_BYTES = 2 * 1024 * 1024;
/** Bytes before the payload of every frame: its length and its type. */
export const HEADER_BYTES = 5;
/** Longest binary CID, bytes: a 64-byte digest with room for its prefix; identity CIDs beyond are not sent. */
export const MAX_CID_BYTES = 128;
/** Largest payload that a receiver of blocks accepts, bytes: a block, its CID and the fields before them. */
export const MAX_RESPONSE_BYTES = MAX_BLOCK_BYTES + 256;
/** Largest payload that a sender of blocks accepts, bytes: a request for the rest of a file of terabytes. */
export const MAX_REQUEST_BYTES = 1024 * 1024;
/** Most items of one request; the rest is asked for by the next. */
export const MAX_ITEMS = 4096;
/** Longest bitmap of a held node's children, bytes: more links do not fit a block. */
export const MAX_BITMAP_BYTES = 8192;
/** Requests open on one stream at once. */
export const MAX_OPEN_REQUESTS = 16;
/** Longest code or message of an error, bytes. */
export const MAX_ERROR_TEXT_BYTES = 512;
/** Types of frames, as they stand on the wire. */
export const FRAME = {
  REQUEST: 0x01,
  GRANT: 0x02,
  CANCEL: 0x03,
  BLOCK: 0x10,
  MISSING: 0x11,
  END: 0x12,
  ERROR: 0x13,
} as const;

/** Kinds of request items, as they stand on the wire. */
export const ITEM = { SUBTREE: 0, CHILDREN: 1, BLOCK: 2 } as const;

/** End of a byte range that reaches to the end of the file. */
export const TO_END = Number.MAX_SAFE_INTEGER;

/** The blocks below `cid` that hold bytes [start, end) of it, with the nodes on the way; all of them where it is no file. */
export interface SubtreeItem {
  readonly kind: "subtree";
  readonly cid: Uint8Array;
  readonly start: number;
  /** {@link TO_END}: to the end. */
  readonly end: number;
}

/** Whole subtrees below children of a node that the receiver holds: bit `i & 7` of byte `i >> 3` stands for child `i`. */
export interface ChildrenItem {
  readonly kind: "children";
  readonly cid: Uint8Array;
  readonly bitmap: Uint8Array;
}

/** This block alone. */
export interface BlockItem {
  readonly kind: "block";
  readonly cid: Uint8Array;
}

export type RequestItem = SubtreeItem | ChildrenItem | BlockItem;

/** Asks for blocks. A request of higher priority (255 is highest) overtakes others of the stream between two blocks. */
export interface RequestFrame {
  readonly type: "request";
  /** Chosen by the receiver of the blocks, not in use on this stream. */
  readonly id: number;
  readonly priority: number;
  readonly items: readonly RequestItem[];
}

/** Bytes of BLOCK and MISSING frames, headers included, that may have been sent since the stream began. Never shrinks. */
export interface GrantFrame {
  readonly type: "grant";
  readonly total: number;
}

/** Ends a request; frames under way may still come. */
export interface CancelFrame {
  readonly type: "cancel";
  readonly id: number;
}

export interface BlockFrame {
  readonly type: "block";
  readonly id: number;
  readonly cid: Uint8Array;
  readonly bytes: Uint8Array;
}

/** The sender lacks this block, and with it what is below. */
export interface MissingFrame {
  readonly type: "missing";
  readonly id: number;
  readonly cid: Uint8Array;
}

/** Everything of the request was sent. */
export interface EndFrame {
  readonly type: "end";
  readonly id: number;
  readonly blocks: number;
  readonly bytes: number;
}

/** The request failed; with id 0 the stream did. */
export interface ErrorFrame {
  readonly type: "error";
  readonly id: number;
  readonly code: string;
  readonly message: string;
}

/** What a receiver of blocks sends. */
export type RequesterFrame = RequestFrame | GrantFrame | CancelFrame;
/** What a sender of blocks sends. */
export type ResponderFrame = BlockFrame | MissingFrame | EndFrame | ErrorFrame;
export type Frame = RequesterFrame | ResponderFrame;
