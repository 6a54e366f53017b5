import type { Playback, PlaybackInit } from "../playback/playback.ts";
import type { View } from "../ui/view.ts";
import { createBandwidth } from "./bandwidth.ts";
import { pictureSize, watchPictureSize } from "./picture-size.ts";

/** What is shown while the path carries sound alone. */
const SOUND_ALONE = "The connection is too slow for pictures";

/** Lets playing follow the viewer's path and the size of the picture; `signal` ends it. */
export function adaptToViewer({ video, notice }: View, signal: AbortSignal) {
  const init: Pick<PlaybackInit, "bandwidth" | "view"> = {
    bandwidth: createBandwidth(() => localStorage),
    view: () => pictureSize(video),
  };
  return {
    init,
    follow(playback: Playback): void {
      watchPictureSize(video, size => playback.setView(size), signal);
      playback.on("pictures", pictures => {
        if (pictures === "paused") notice.keep(SOUND_ALONE);
        else notice.close();
      });
    },
  };
}
