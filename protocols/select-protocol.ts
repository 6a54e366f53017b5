/** Ways to bring content to somebody. */
export type TransferProtocol = "webrtc" | "websocket" | "libp2p";

/** Content below this size may go over a WebSocket when it is urgent, bytes. */
export const SMALL_CONTENT_BYTES = 1024 * 1024;

/** The way that suits content best: media is played, what is small and urgent takes the quickest set-up, the rest goes from peer to peer. */
export function selectProtocol(
  contentType: string,
  size: number,
  priority: "low" | "normal" | "high" = "normal",
): TransferProtocol {
  const type = contentType.toLowerCase();
  if (type.startsWith("video/") || type.startsWith("audio/")) return "webrtc";
  return size < SMALL_CONTENT_BYTES && priority === "high" ? "websocket" : "libp2p";
}
