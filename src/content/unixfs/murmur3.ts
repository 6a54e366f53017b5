const MASK = (1n << 64n) - 1n;
const C1 = 0x87c37b91114253d5n;
const C2 = 0x4cf5ad432745937fn;

const rotl = (x: bigint, r: bigint): bigint => ((x << r) | (x >> (64n - r))) & MASK;
const mul = (a: bigint, b: bigint): bigint => (a * b) & MASK;

function finish(h: bigint): bigint {
  const a = mul(h ^ (h >> 33n), 0xff51afd7ed558ccdn);
  const b = mul(a ^ (a >> 33n), 0xc4ceb9fe1a85ec53n);
  return b ^ (b >> 33n);
}

function littleEndian(bytes: Uint8Array, from: number, to: number): bigint {
  let value = 0n;
  for (let i = Math.min(to, bytes.byteLength) - 1; i >= from; i--)
    value = (value << 8n) | BigInt(bytes[i] ?? 0);
  return value;
}

/**
 * The first 64 bits of murmur3-x64-128 with seed 0, most significant byte first: what places a name in a HAMT shard.
 * @see https://specs.ipfs.tech/unixfs/#dag-pb-hamtdirectory
 */
export function murmur3(bytes: Uint8Array): Uint8Array {
  let h1 = 0n;
  let h2 = 0n;
  const whole = bytes.byteLength - (bytes.byteLength % 16);
  for (let at = 0; at < whole; at += 16) {
    const k1 = littleEndian(bytes, at, at + 8);
    const k2 = littleEndian(bytes, at + 8, at + 16);
    h1 ^= mul(rotl(mul(k1, C1), 31n), C2);
    h1 = (mul((rotl(h1, 27n) + h2) & MASK, 5n) + 0x52dce729n) & MASK;
    h2 ^= mul(rotl(mul(k2, C2), 33n), C1);
    h2 = (mul((rotl(h2, 31n) + h1) & MASK, 5n) + 0x38495ab5n) & MASK;
  }
  const k1 = littleEndian(bytes, whole, whole + 8);
  const k2 = littleEndian(bytes, whole + 8, whole + 16);
  h2 ^= mul(rotl(mul(k2, C2), 33n), C1);
  h1 ^= mul(rotl(mul(k1, C1), 31n), C2);
  const length = BigInt(bytes.byteLength);
  h1 ^= length;
  h2 ^= length;
  h1 = (h1 + h2) & MASK;
  h2 = (h2 + h1) & MASK;
  h1 = (finish(h1) + finish(h2)) & MASK;
  const out = new Uint8Array(8);
  new DataView(out.buffer).setBigUint64(0, h1);
  return out;
}
