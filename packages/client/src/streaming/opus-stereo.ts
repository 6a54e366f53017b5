/**
 * Asks for stereo in an answer: browsers decode Opus to mono unless their own description says `stereo=1`.
 * @see https://www.rfc-editor.org/rfc/rfc7587#section-7.1
 */
export function withOpusStereo(sdp: string): string {
  const opus = /^a=rtpmap:(\d+) opus\/48000\/2\r?$/im.exec(sdp)?.[1];
  if (opus === undefined) return sdp;
  const format = new RegExp(`^(a=fmtp:${opus} )([^\\r\\n]*)`, "m");
  if (!format.test(sdp)) {
    return sdp.replace(
      new RegExp(`^(a=rtpmap:${opus} [^\\r\\n]*)(\\r?\\n)`, "m"),
      `$1$2a=fmtp:${opus} stereo=1$2`,
    );
  }
  return sdp.replace(format, (line, head: string, parameters: string) =>
    /(^|;)\s*stereo=/.test(parameters) ? line : `${head}${parameters};stereo=1`,
  );
}
