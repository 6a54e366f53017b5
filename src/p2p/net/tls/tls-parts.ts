import type { PeerId, PrivateKey } from "@libp2p/interface";

/** What is used of @libp2p/tls beyond its public face: the certificates of the libp2p TLS handshake. */
export interface TlsParts {
  generateCertificate(privateKey: PrivateKey): Promise<{ readonly cert: string; readonly key: string }>;
  /** Checks the other side's certificate; gives the PeerId it proves. */
  verifyPeerCertificate(raw: Uint8Array, expected?: PeerId): Promise<PeerId>;
}

/**
 * Loads the certificate functions of @libp2p/tls, which it does not export; undefined when its files are not what they
 * were in version 3, and then its own encrypter is used as it is.
 */
export async function loadTlsParts(): Promise<TlsParts | undefined> {
  try {
    const url = new URL("./utils.js", import.meta.resolve("@libp2p/tls"));
    const parts: unknown = await import(url.href);
    return isTlsParts(parts) ? parts : undefined;
  } catch {
    // Not there at all: the same answer as another shape.
    return undefined;
  }
}

function isTlsParts(parts: unknown): parts is TlsParts {
  return (
    typeof parts === "object" &&
    parts !== null &&
    "generateCertificate" in parts &&
    typeof parts.generateCertificate === "function" &&
    "verifyPeerCertificate" in parts &&
    typeof parts.verifyPeerCertificate === "function"
  );
}
