import { CidcastError, messageOf } from "../../../../core/index.ts";

/** Memory as native functions take it: a buffer, or the address of one. */
export type Memory = Buffer | bigint | null;

/** The native functions that batched egress is made of: libc's, and OpenSSL's as the Node binary exports them. */
export interface NativeCalls {
  /** Address of a buffer's first byte, which must lie in an ArrayBuffer of its own that is kept. */
  address(buffer: Buffer): bigint;
  errno(): number;
  sendmmsg(fd: number, messages: bigint, count: number, flags: number): number;
  sendto(
    fd: number,
    data: bigint,
    bytes: number,
    flags: number,
    address: Buffer,
    addressBytes: number,
  ): number;
  getsockopt(fd: number, level: number, name: number, value: Buffer, length: Buffer): number;
  /** Writes the address named by `text` to `out`; 1 when it is one. */
  inetPton(family: number, text: string, out: Buffer): number;
  /** 0: there is no such interface. */
  interfaceIndex(name: string): number;
  aes128Gcm(): bigint;
  aes128Ctr(): bigint;
  sha1(): bigint;
  cipherNew(): bigint;
  cipherFree(context: bigint): void;
  cipherControl(context: bigint, command: number, argument: number, memory: Memory): number;
  encryptInit(context: bigint, cipher: bigint | null, engine: null, key: Memory, iv: Memory): number;
  encryptUpdate(context: bigint, out: Memory, outBytes: Memory, data: Memory, bytes: number): number;
  encryptFinal(context: bigint, out: Memory, outBytes: Memory): number;
  hmacNew(): bigint;
  hmacFree(context: bigint): void;
  hmacInit(context: bigint, key: Memory, keyBytes: number, digest: bigint | null, engine: null): number;
  hmacUpdate(context: bigint, data: Memory, bytes: number): number;
  hmacFinal(context: bigint, out: Memory, outBytes: Memory): number;
}

const DECLARATIONS: Readonly<Record<Exclude<keyof NativeCalls, "address" | "errno">, string>> = {
  sendmmsg: "int sendmmsg(int, void*, unsigned int, int)",
  sendto: "long sendto(int, void*, size_t, int, void*, unsigned int)",
  getsockopt: "int getsockopt(int, int, int, void*, void*)",
  inetPton: "int inet_pton(int, const char*, void*)",
  interfaceIndex: "unsigned int if_nametoindex(const char*)",
  aes128Gcm: "void* EVP_aes_128_gcm()",
  aes128Ctr: "void* EVP_aes_128_ctr()",
  sha1: "void* EVP_sha1()",
  cipherNew: "void* EVP_CIPHER_CTX_new()",
  cipherFree: "void EVP_CIPHER_CTX_free(void*)",
  cipherControl: "int EVP_CIPHER_CTX_ctrl(void*, int, int, void*)",
  encryptInit: "int EVP_EncryptInit_ex(void*, void*, void*, void*, void*)",
  encryptUpdate: "int EVP_EncryptUpdate(void*, void*, void*, void*, int)",
  encryptFinal: "int EVP_EncryptFinal_ex(void*, void*, void*)",
  hmacNew: "void* HMAC_CTX_new()",
  hmacFree: "void HMAC_CTX_free(void*)",
  hmacInit: "int HMAC_Init_ex(void*, void*, int, void*, void*)",
  hmacUpdate: "int HMAC_Update(void*, void*, size_t)",
  hmacFinal: "int HMAC_Final(void*, void*, void*)",
};

/** Loads them. `FEATURE_DISABLED`, with the reason, where they are not to be had: another system, no koffi, another OpenSSL. */
export async function loadNative(): Promise<NativeCalls> {
  // The layouts written by SendRing are those of 64-bit Linux, little endian.
  if (process.platform !== "linux" || !["x64", "arm64"].includes(process.arch)) {
    throw disabled(`it is made for 64-bit Linux, this is ${process.platform} on ${process.arch}`);
  }
  try {
    const { default: koffi } = await import("koffi");
    const program = koffi.load(null);
    const functions = Object.entries(DECLARATIONS).map(([name, text]) => [name, program.func(text)]);
    return {
      // Each function is what its declaration says, and the declarations are those of NativeCalls.
      ...(Object.fromEntries(functions) as Omit<NativeCalls, "address" | "errno">),
      address: buffer => koffi.address(buffer),
      errno: () => koffi.errno(),
    };
  } catch (error) {
    throw disabled(messageOf(error), error);
  }
}

function disabled(why: string, cause?: unknown): CidcastError {
  return new CidcastError("FEATURE_DISABLED", `batched egress is not to be had: ${why}`, { cause });
}
