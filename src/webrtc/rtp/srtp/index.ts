export { isRtcp, MAX_REPORT_SENDERS, SrtcpOpener, SrtcpSealer } from "./srtcp.ts";
export { deriveKeys, type MasterKey, type SrtpKeys, type SrtpProfile } from "./srtp-keys.ts";
