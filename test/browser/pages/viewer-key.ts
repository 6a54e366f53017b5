/** Viewers that are known by their certificate. Types alone may be imported here. */

interface KeyedViewing {
  readonly status: number;
  readonly framesDecoded: number;
}

/** Makes a certificate and keeps it; resolves to its fingerprint as SDP writes it. */
async function makeCertificate(name: string): Promise<string> {
  const certificate = await RTCPeerConnection.generateCertificate({
    name: "ECDSA",
    namedCurve: "P-256",
  } as never);
  certificates.set(name, certificate);
  const fingerprint = certificate.getFingerprints().find(({ algorithm }) => algorithm === "sha-256");
  return `sha-256 ${fingerprint?.value ?? ""}`;
}

const certificates = new Map<string, RTCCertificate>();

/** Watches over WHEP with one of the certificates, until pictures come; 0 where the node refuses. */
async function watchWith(name: string, whep: string): Promise<KeyedViewing> {
  const certificate = certificates.get(name);
  if (certificate === undefined) throw new Error(`There is no certificate ${name}`);
  const connection = new RTCPeerConnection({ certificates: [certificate] });
  try {
    for (const kind of ["video", "audio"]) connection.addTransceiver(kind, { direction: "recvonly" });
    await connection.setLocalDescription();
    const gathered = Promise.withResolvers<void>();
    connection.addEventListener("icegatheringstatechange", () => {
      if (connection.iceGatheringState === "complete") gathered.resolve();
    });
    if (connection.iceGatheringState === "complete") gathered.resolve();
    await gathered.promise;
    const answer = await fetch(whep, {
      method: "POST",
      headers: { "content-type": "application/sdp" },
      body: connection.localDescription?.sdp ?? "",
    });
    if (answer.status !== 201) return { status: answer.status, framesDecoded: 0 };
    await connection.setRemoteDescription({ type: "answer", sdp: await answer.text() });
    for (;;) {
      let framesDecoded = 0;
      for (const stat of (await connection.getStats()).values()) {
        if (stat.type === "inbound-rtp" && stat.kind === "video") framesDecoded = stat.framesDecoded ?? 0;
      }
      if (framesDecoded > 5) return { status: answer.status, framesDecoded };
      await new Promise(resolve => setTimeout(resolve, 100));
    }
  } finally {
    connection.close();
  }
}

Object.assign(globalThis, { makeCertificate, watchWith });
