import { X509Certificate } from "node:crypto";
import { readFileSync, unwatchFile, watchFile } from "node:fs";
import { networkInterfaces } from "node:os";
import { createSecureContext } from "node:tls";
import { CidcastError, type Logger, messageOf } from "../../core/index.ts";

/** How often the files are looked at, milliseconds: a renewed certificate is served soon after. */
const WATCH_INTERVAL_MS = 2_000;
const DAY_MS = 24 * 60 * 60 * 1000;
/** How long before its end a certificate is warned of, days. */
const WARN_DAYS = 14;

/** Files in PEM. */
export interface CertificateFiles {
  /** The certificate and those between it and its root. */
  readonly cert: string;
  readonly key: string;
}

export interface Certificate {
  readonly cert: Buffer;
  readonly key: Buffer;
}

/** Reads certificate and key. `INVALID_CONFIG` when they cannot be read, do not fit together, or are out of date. */
export function readCertificate(files: CertificateFiles, nowMs: number): Certificate {
  const [cert, key] = [read(files.cert, "certificate"), read(files.key, "key")];
  let leaf: X509Certificate;
  try {
    createSecureContext({ cert, key });
    leaf = new X509Certificate(cert);
  } catch (cause) {
    const message = `${files.cert} and ${files.key} cannot be used for TLS: ${messageOf(cause)}`;
    throw new CidcastError("INVALID_CONFIG", message, { cause });
  }
  if (leaf.validToDate.getTime() <= nowMs) {
    throw new CidcastError("INVALID_CONFIG", `The certificate ${files.cert} ended at ${leaf.validTo}`);
  }
  return { cert, key };
}

/** Days that a certificate is still good for. */
function daysLeft({ cert }: Certificate, nowMs: number): number {
  return (new X509Certificate(cert).validToDate.getTime() - nowMs) / DAY_MS;
}

/** Calls `onChange` with what the files hold after each change of theirs; returns how to stop. A bad change is logged and left. */
export function watchCertificate(
  files: CertificateFiles,
  init: { readonly onChange: (certificate: Certificate) => void; readonly log: Logger },
): () => void {
  const { onChange, log } = init;
  const onFile = (): void => {
    try {
      onChange(readCertificate(files, Date.now()));
      log.info({ cert: files.cert }, "the renewed certificate is served");
    } catch (err) {
      // Certificate and key are renewed one after the other: between the two they do not fit.
      log.warn({ err }, "the changed certificate is not served yet");
    }
  };
  for (const file of [files.cert, files.key])
    watchFile(file, { interval: WATCH_INTERVAL_MS, persistent: false }, onFile);
  return () => {
    for (const file of [files.cert, files.key]) unwatchFile(file, onFile);
  };
}

/** Warns of a certificate that ends soon. */
export function warnOfEnd(certificate: Certificate, log: Logger): void {
  const days = Math.floor(daysLeft(certificate, Date.now()));
  if (days < WARN_DAYS) log.warn({ days }, "the TLS certificate ends soon");
}

/** Names and addresses by which a node that listens on `host` is reached. */
export function ownHosts(host: string, allowedHosts: readonly string[]): string[] {
  const everywhere = host === "0.0.0.0" || host === "::";
  const addresses = everywhere
    ? Object.values(networkInterfaces()).flatMap(list => (list ?? []).map(({ address }) => address))
    : [host];
  const names = allowedHosts
    .map(name => name.replace(/:\d+$/, ""))
    // Patterns of hosts are no names that a certificate could hold.
    .filter(name => /^[a-z0-9.-]+$/i.test(name) && !name.startsWith("."));
  // Addresses with a scope are no addresses to a certificate.
  const all = ["localhost", "127.0.0.1", "::1", ...addresses.filter(text => !text.includes("%")), ...names];
  return [...new Set(all)];
}

function read(file: string, what: string): Buffer {
  try {
    return readFileSync(file);
  } catch (cause) {
    throw new CidcastError("INVALID_CONFIG", `The TLS ${what} ${file} cannot be read: ${messageOf(cause)}`, {
      cause,
    });
  }
}
