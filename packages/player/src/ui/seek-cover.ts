import { el } from "./dom.ts";
import { isInOwnWindow } from "./picture-in-picture.ts";

/** How long the picture is waited for once the node has said that it is there, ms. */
const SETTLE_MS = 8_000;
/** How long the node may take to get there, ms: what comes then is better than nothing. */
const GIVE_UP_MS = 20_000;

/** Hides the pictures that are only decoded on the way to the one that a seek asked for: the last one stays instead. */
export interface SeekCover {
  readonly element: HTMLElement;
  /** A seek begins. */
  begin(): void;
  /** The node has got there: pictures from that RTP time on are wanted. Undefined where a node does not tell. */
  arrive(pictureTime: number | undefined): void;
  /** Shows what there is. */
  lift(): void;
}

export function createSeekCover(video: HTMLVideoElement): SeekCover {
  const element = el("canvas", { class: "seek-cover", attributes: { "aria-hidden": "true", hidden: "" } });
  let timer: ReturnType<typeof setTimeout> | undefined;
  /** RTP times: of the picture that is shown, and from which on they are wanted. */
  let shown: number | undefined;
  let wanted: number | undefined;
  let watching = false;
  const lift = (): void => {
    wanted = undefined;
    clearTimeout(timer);
    element.hidden = true;
    // A picture of 4K takes 33 MB.
    element.width = element.height = 0;
  };
  const check = (): void => {
    if (wanted !== undefined && shown !== undefined && isFrom(shown, wanted)) lift();
  };
  const watch = (): void => {
    if (watching) return;
    watching = true;
    video.requestVideoFrameCallback((_now, { rtpTimestamp }) => {
      watching = false;
      shown = rtpTimestamp;
      check();
      if (!element.hidden) watch();
    });
  };
  const wait = (ms: number): void => {
    clearTimeout(timer);
    timer = setTimeout(lift, ms);
  };
  return {
    element,
    lift,
    begin() {
      wanted = undefined;
      if (isInOwnWindow(video)) return;
      if (element.hidden) {
        element.width = Math.max(1, video.videoWidth);
        element.height = Math.max(1, video.videoHeight);
        const paint = element.getContext("2d", { alpha: false });
        paint?.drawImage(video, 0, 0, element.width, element.height);
        element.hidden = false;
      }
      shown = undefined;
      watch();
      wait(GIVE_UP_MS);
    },
    arrive(pictureTime) {
      if (element.hidden) return;
      if (pictureTime === undefined) return lift();
      wait(SETTLE_MS);
      wanted = pictureTime;
      check();
    },
  };
}

/** True when one RTP time is at or after another; they begin anew after 2^32. */
function isFrom(time: number, from: number): boolean {
  return (time - from) >>> 0 < 2 ** 31;
}
