import {
  createHash,
  createHmac,
  createVerify,
  type KeyObject,
  timingSafeEqual,
  X509Certificate,
} from "node:crypto";

const NAMED_CURVE = 3;
const SHA256 = 4;
const RSA = 1;
const ECDSA = 3;
const VERIFY_DATA_BYTES = 12;

/** A handshake message that does not prove what it should. */
export class HandshakeProofError extends Error {
  override readonly name = "HandshakeProofError";
}

/**
 * Checks a client's CertificateVerify: that it holds the key of its certificate.
 * @see https://www.rfc-editor.org/rfc/rfc5246#section-7.4.8
 */
export function proveCertificateVerify(
  body: Buffer,
  transcript: Buffer,
  certificate: Buffer | undefined,
): void {
  checkSignature("CertificateVerify", body, transcript, certificate);
}

/**
 * Checks a server's key exchange: that the key it offers is signed by its certificate's.
 * @see https://www.rfc-editor.org/rfc/rfc8422#section-5.4
 */
export function proveServerKeyExchange(
  body: Buffer,
  randoms: { readonly client: Buffer; readonly server: Buffer },
  certificate: Buffer | undefined,
): void {
  const pointBytes = body[3] ?? 0;
  const paramsBytes = 4 + pointBytes;
  if (body[0] !== NAMED_CURVE || body.length <= paramsBytes) {
    throw new HandshakeProofError("ServerKeyExchange is not of a named curve");
  }
  const signed = Buffer.concat([randoms.client, randoms.server, body.subarray(0, paramsBytes)]);
  checkSignature("ServerKeyExchange", body.subarray(paramsBytes), signed, certificate);
}

/** Checks a Finished message: that both sides have seen the same handshake. */
export function proveFinished(
  body: Buffer,
  transcript: Buffer,
  secret: { readonly master: Buffer; readonly sender: "client" | "server" },
): void {
  const seed = Buffer.concat([
    Buffer.from(`${secret.sender} finished`),
    createHash("sha256").update(transcript).digest(),
  ]);
  const expected = prf(secret.master, seed).subarray(0, VERIFY_DATA_BYTES);
  if (body.length !== VERIFY_DATA_BYTES || !timingSafeEqual(expected, body)) {
    throw new HandshakeProofError("Finished does not match the handshake");
  }
}

/** One block of P_SHA256: enough for verify_data. @see https://www.rfc-editor.org/rfc/rfc5246#section-5 */
function prf(secret: Buffer, seed: Buffer): Buffer {
  const first = createHmac("sha256", secret).update(seed).digest();
  return createHmac("sha256", secret).update(first).update(seed).digest();
}

/** `body`: hash, signature algorithm, 16-bit length, signature. */
function checkSignature(what: string, body: Buffer, signed: Buffer, certificate: Buffer | undefined): void {
  if (certificate === undefined) throw new HandshakeProofError(`${what} came without a certificate`);
  if (body.length < 4 || body.readUInt16BE(2) !== body.length - 4) {
    throw new HandshakeProofError(`${what} is malformed`);
  }
  const key = publicKey(certificate);
  const wanted = key.asymmetricKeyType === "ec" ? ECDSA : RSA;
  // SHA-256 with ECDSA or RSA PKCS #1 is all that our side offers.
  if (body[0] !== SHA256 || body[1] !== wanted) {
    throw new HandshakeProofError(`${what} uses algorithm ${body[0]}/${body[1]}, which was not offered`);
  }
  if (!createVerify("sha256").update(signed).verify(key, body.subarray(4))) {
    throw new HandshakeProofError(`${what} is not signed by the key of the certificate`);
  }
}

function publicKey(certificate: Buffer): KeyObject {
  try {
    const key = new X509Certificate(certificate).publicKey;
    if (key.asymmetricKeyType === "ec" || key.asymmetricKeyType === "rsa") return key;
  } catch (error) {
    throw new HandshakeProofError("the certificate cannot be read", { cause: error });
  }
  throw new HandshakeProofError("the certificate's key is neither EC nor RSA");
}
