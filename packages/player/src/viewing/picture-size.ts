/** How long the size must keep still before it is told, ms: dragging a window's edge changes it all the time. */
const SETTLE_MS = 300;
/** Longest side that is told, pixels. */
const MAX_SIDE = 65_535;

/** Pixels of the screen. */
export interface PictureSize {
  readonly width: number;
  readonly height: number;
}

/** Size at which a video is shown; undefined where it is not. In a window of its own it may be of any size. */
export function pictureSize(video: HTMLVideoElement): PictureSize | undefined {
  if (document.pictureInPictureElement === video) return { width: MAX_SIDE, height: MAX_SIDE };
  const side = (pixels: number): number => Math.min(MAX_SIDE, Math.ceil(pixels * devicePixelRatio));
  const [width, height] = [side(video.clientWidth), side(video.clientHeight)];
  return width > 0 && height > 0 ? { width, height } : undefined;
}

/** Tells when a video comes to be shown at another size, once it keeps still. */
export function watchPictureSize(
  video: HTMLVideoElement,
  onSize: (size: PictureSize) => void,
  signal: AbortSignal,
): void {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const look = (): void => {
    clearTimeout(timer);
    timer = setTimeout(() => {
      const size = pictureSize(video);
      if (size !== undefined) onSize(size);
    }, SETTLE_MS);
  };
  const observer = new ResizeObserver(look);
  observer.observe(video);
  video.addEventListener("enterpictureinpicture", look, { signal });
  video.addEventListener("leavepictureinpicture", look, { signal });
  signal.addEventListener(
    "abort",
    () => {
      clearTimeout(timer);
      observer.disconnect();
    },
    { once: true },
  );
}
