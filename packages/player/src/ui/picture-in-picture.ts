/** A video that can be shown in a window of its own. */
export interface PictureInPicture {
  /** Whether it is; undefined where browser or content do not allow it. */
  readonly on: boolean | undefined;
  /** False when it cannot be now: no picture yet, or the browser wants a click first. */
  toggle(): Promise<boolean>;
}

/** True while it is shown in a window of its own. */
export function isInOwnWindow(video: HTMLVideoElement): boolean {
  const root = video.getRootNode();
  return (root instanceof ShadowRoot ? root : document).pictureInPictureElement === video;
}

export function createPictureInPicture(video: HTMLVideoElement, isSound: () => boolean): PictureInPicture {
  const shown = (): boolean => isInOwnWindow(video);
  return {
    get on() {
      // Not every browser has it.
      return !document.pictureInPictureEnabled || isSound() ? undefined : shown();
    },
    async toggle() {
      try {
        if (shown()) await document.exitPictureInPicture();
        else await video.requestPictureInPicture();
        return true;
      } catch {
        return false;
      }
    },
  };
}
