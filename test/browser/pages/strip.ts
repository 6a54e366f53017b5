/** Reads the frame number that a picture of a sample shows in the strip at its lower edge; -1 where there is none. */
const STRIP_BITS = 16;

function shownFrame(): number {
  const video = document.querySelector("cid-player")?.shadowRoot?.querySelector("video");
  if (!video || video.videoWidth === 0) return -1;
  const canvas = new OffscreenCanvas(video.videoWidth, video.videoHeight);
  const paint = canvas.getContext("2d", { willReadFrequently: true });
  if (!paint) return -1;
  paint.drawImage(video, 0, 0);
  const row = paint.getImageData(0, video.videoHeight - 16, video.videoWidth, 1).data;
  let number = 0;
  for (let bit = 0; bit < STRIP_BITS; bit++) {
    const column = Math.floor(((bit + 0.5) * video.videoWidth) / STRIP_BITS);
    number = number * 2 + ((row[column * 4] ?? 0) > 128 ? 1 : 0);
  }
  return number;
}

Object.assign(globalThis, { shownFrame });
