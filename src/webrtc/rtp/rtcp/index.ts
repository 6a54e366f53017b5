export { type ReceiverReport, readRtcp, type RtcpHandlers } from "./reader.ts";
export { compactNtp, type SenderReportInit, writeSenderReport } from "./sender-report.ts";
