import { webcrypto, X509Certificate as NodeCertificate } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { isIP } from "node:net";
import { join } from "node:path";
// The library below needs it, and says so.
import "reflect-metadata";
import {
  BasicConstraintsExtension,
  ExtendedKeyUsage,
  ExtendedKeyUsageExtension,
  KeyUsageFlags,
  KeyUsagesExtension,
  PemConverter,
  SubjectAlternativeNameExtension,
  X509CertificateGenerator,
} from "@peculiar/x509";
import type { CertificateFiles } from "./certificate.ts";

/** How long a certificate of our own is good, days: browsers take none that is good for longer than 398. */
const VALID_DAYS = 365;
/** How long before its end it is made anew, days. */
const RENEW_DAYS = 30;
const DAY_MS = 24 * 60 * 60 * 1000;
const ALGORITHM = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" } as const;

/**
 * A certificate for development in `directory`, for the names and addresses of this node: that of before while it fits, else
 * a new one. Browsers warn of it until they are told to trust it.
 */
export async function selfSigned(
  directory: string,
  init: { readonly hosts: readonly string[]; readonly nowMs: number },
): Promise<CertificateFiles> {
  const { hosts, nowMs } = init;
  const files = { cert: join(directory, "cert.pem"), key: join(directory, "key.pem") };
  if (stillFits(files, hosts, nowMs)) return files;
  const keys = await webcrypto.subtle.generateKey(ALGORITHM, true, ["sign", "verify"]);
  const certificate = await X509CertificateGenerator.createSelfSigned(
    {
      name: "CN=cidcast development",
      notBefore: new Date(nowMs - DAY_MS),
      notAfter: new Date(nowMs + VALID_DAYS * DAY_MS),
      keys,
      signingAlgorithm: ALGORITHM,
      extensions: [
        new BasicConstraintsExtension(false, undefined, true),
        new KeyUsagesExtension(KeyUsageFlags.digitalSignature, true),
        new ExtendedKeyUsageExtension([ExtendedKeyUsage.serverAuth]),
        new SubjectAlternativeNameExtension(
          hosts.map(host => ({ type: isIP(host) === 0 ? ("dns" as const) : ("ip" as const), value: host })),
        ),
      ],
    },
    webcrypto,
  );
  const key = PemConverter.encode(await webcrypto.subtle.exportKey("pkcs8", keys.privateKey), "PRIVATE KEY");
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  writeFileSync(files.key, key, { mode: 0o600 });
  writeFileSync(files.cert, certificate.toString("pem"), { mode: 0o644 });
  return files;
}

function stillFits(files: CertificateFiles, hosts: readonly string[], nowMs: number): boolean {
  if (!existsSync(files.cert) || !existsSync(files.key)) return false;
  const certificate = new NodeCertificate(readFileSync(files.cert));
  if (certificate.validToDate.getTime() - RENEW_DAYS * DAY_MS < nowMs) return false;
  return hosts.every(
    host => (isIP(host) === 0 ? certificate.checkHost(host) : certificate.checkIP(host)) !== undefined,
  );
}
