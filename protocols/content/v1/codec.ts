import {
  type BlockFrame,
  type ErrorFrame,
  FRAME,
  type Frame,
  HEADER_BYTES,
  ITEM,
  MAX_BITMAP_BYTES,
  MAX_CID_BYTES,
  MAX_ERROR_TEXT_BYTES,
  MAX_ITEMS,
  MAX_REQUEST_BYTES,
  type RequestFrame,
  type RequestItem,
  TO_END,
} from "./frames.ts";
import { FrameError, Reader, Writer } from "./wire.ts";

const encoder = new TextEncoder();
const decoder = new TextDecoder("utf-8", { fatal: true });

/** Bytes of the REQUEST payload before its items. */
const REQUEST_FIXED_BYTES = 7;
/** Bytes of a BLOCK or MISSING payload before the CID. */
const CID_FIXED_BYTES = 5;

/** A frame as it goes on the wire, header included. Throws `RangeError` when a field is beyond its limit. */
export function encodeFrame(frame: Frame): Uint8Array {
  switch (frame.type) {
    case "request":
      return encodeRequest(frame);
    case "grant":
      return begin(FRAME.GRANT, 8).u64(frame.total).bytes;
    case "cancel":
      return begin(FRAME.CANCEL, 4).u32(frame.id).bytes;
    case "block":
      return withCid(FRAME.BLOCK, frame.id, frame.cid, frame.bytes.byteLength).raw(frame.bytes).bytes;
    case "missing":
      return withCid(FRAME.MISSING, frame.id, frame.cid, 0).bytes;
    case "end":
      return begin(FRAME.END, 16).u32(frame.id).u32(frame.blocks).u64(frame.bytes).bytes;
    default:
      return encodeError(frame);
  }
}

/** A BLOCK frame without its block, which is to follow as it is: whoever has the block need not copy it. */
export function encodeBlockHead(frame: Omit<BlockFrame, "type" | "bytes">, blockBytes: number): Uint8Array {
  const { id, cid } = frame;
  checkCidLength(cid);
  const payloadBytes = CID_FIXED_BYTES + cid.byteLength + blockBytes;
  const head = new Writer(HEADER_BYTES + CID_FIXED_BYTES + cid.byteLength);
  return head.u32(payloadBytes).u8(FRAME.BLOCK).u32(id).u8(cid.byteLength).raw(cid).bytes;
}

/** Bytes of a BLOCK frame on the wire: what it costs of the credit. */
export function blockFrameBytes(cidBytes: number, blockBytes: number): number {
  return HEADER_BYTES + CID_FIXED_BYTES + cidBytes + blockBytes;
}

/** Bytes that an item takes in a request. */
export function itemBytes(item: RequestItem): number {
  const fixed = 2 + item.cid.byteLength;
  if (item.kind === "subtree") return fixed + 16;
  return item.kind === "children" ? fixed + 2 + item.bitmap.byteLength : fixed;
}

/** Reads a payload of the type given. Views into `payload` are handed out, not copies. Throws {@link FrameError}. */
export function decodeFrame(type: number, payload: Uint8Array): Frame {
  const reader = new Reader(payload);
  const frame = decodeBody(type, reader);
  reader.end();
  return frame;
}

function decodeBody(type: number, reader: Reader): Frame {
  switch (type) {
    case FRAME.REQUEST:
      return decodeRequest(reader);
    case FRAME.GRANT:
      return { type: "grant", total: reader.u64() };
    case FRAME.CANCEL:
      return { type: "cancel", id: reader.u32() };
    case FRAME.BLOCK: {
      const id = reader.u32();
      const cid = readCid(reader);
      return { type: "block", id, cid, bytes: reader.raw(reader.left) };
    }
    case FRAME.MISSING:
      return { type: "missing", id: reader.u32(), cid: readCid(reader) };
    case FRAME.END:
      return { type: "end", id: reader.u32(), blocks: reader.u32(), bytes: reader.u64() };
    case FRAME.ERROR:
      return { type: "error", id: reader.u32(), code: readText(reader), message: readText(reader) };
    default:
      throw new FrameError(`frame type ${type} is not known`);
  }
}

function encodeError(frame: ErrorFrame): Uint8Array {
  const code = cut(frame.code);
  const message = cut(frame.message);
  return begin(FRAME.ERROR, 8 + code.byteLength + message.byteLength)
    .u32(frame.id)
    .u16(code.byteLength)
    .raw(code)
    .u16(message.byteLength)
    .raw(message).bytes;
}

function encodeRequest(frame: RequestFrame): Uint8Array {
  if (frame.items.length > MAX_ITEMS) throw new RangeError(`a request has at most ${MAX_ITEMS} items`);
  const length = frame.items.reduce((sum, item) => sum + itemBytes(item), REQUEST_FIXED_BYTES);
  if (length > MAX_REQUEST_BYTES) throw new RangeError(`a request has at most ${MAX_REQUEST_BYTES} bytes`);
  const writer = begin(FRAME.REQUEST, length).u32(frame.id).u8(frame.priority).u16(frame.items.length);
  for (const item of frame.items) {
    checkCidLength(item.cid);
    if (item.kind === "subtree") {
      writer.u8(ITEM.SUBTREE).u8(item.cid.byteLength).raw(item.cid).u64(item.start).u64(item.end);
    } else if (item.kind === "children") {
      if (item.bitmap.byteLength > MAX_BITMAP_BYTES) throw new RangeError("the bitmap is too long");
      writer.u8(ITEM.CHILDREN).u8(item.cid.byteLength).raw(item.cid);
      writer.u16(item.bitmap.byteLength).raw(item.bitmap);
    } else {
      writer.u8(ITEM.BLOCK).u8(item.cid.byteLength).raw(item.cid);
    }
  }
  return writer.bytes;
}

function decodeRequest(reader: Reader): RequestFrame {
  const id = reader.u32();
  if (id === 0) throw new FrameError("request id 0 stands for the stream");
  const priority = reader.u8();
  const count = reader.u16();
  if (count === 0 || count > MAX_ITEMS) throw new FrameError(`a request has 1 to ${MAX_ITEMS} items`);
  const items: RequestItem[] = [];
  for (let i = 0; i < count; i++) items.push(decodeItem(reader));
  return { type: "request", id, priority, items };
}

function decodeItem(reader: Reader): RequestItem {
  const kind = reader.u8();
  const cid = readCid(reader);
  if (kind === ITEM.BLOCK) return { kind: "block", cid };
  if (kind === ITEM.CHILDREN) {
    const length = reader.u16();
    if (length === 0 || length > MAX_BITMAP_BYTES) throw new FrameError("the bitmap has a wrong length");
    return { kind: "children", cid, bitmap: reader.raw(length) };
  }
  if (kind !== ITEM.SUBTREE) throw new FrameError(`item kind ${kind} is not known`);
  const start = reader.u64();
  const end = reader.u64();
  if (end <= start || end > TO_END) throw new FrameError("the range is empty");
  return { kind: "subtree", cid, start, end };
}

function readCid(reader: Reader): Uint8Array {
  const length = reader.u8();
  if (length === 0 || length > MAX_CID_BYTES) throw new FrameError("the CID has a wrong length");
  return reader.raw(length);
}

function readText(reader: Reader): string {
  const length = reader.u16();
  if (length > MAX_ERROR_TEXT_BYTES) throw new FrameError("the text is too long");
  try {
    return decoder.decode(reader.raw(length));
  } catch (cause) {
    if (cause instanceof FrameError) throw cause;
    throw new FrameError("the text is not UTF-8", { cause });
  }
}

function begin(type: number, payloadBytes: number): Writer {
  return new Writer(HEADER_BYTES + payloadBytes).u32(payloadBytes).u8(type);
}

function withCid(type: number, id: number, cid: Uint8Array, moreBytes: number): Writer {
  checkCidLength(cid);
  return begin(type, CID_FIXED_BYTES + cid.byteLength + moreBytes)
    .u32(id)
    .u8(cid.byteLength)
    .raw(cid);
}

function checkCidLength(cid: Uint8Array): void {
  if (cid.byteLength === 0 || cid.byteLength > MAX_CID_BYTES) {
    throw new RangeError(`a CID on the wire has 1 to ${MAX_CID_BYTES} bytes`);
  }
}

/** Text as UTF-8 within the limit: cut between characters. */
function cut(text: string): Uint8Array {
  const out = new Uint8Array(MAX_ERROR_TEXT_BYTES);
  return out.subarray(0, encoder.encodeInto(text, out).written);
}
