/** Notes which pictures of a sample the viewer sees. */
const seen = new Set<number>();
const player = document.querySelector("cid-player")?.shadowRoot;

/** True while another picture lies over those that come. */
function isCovered(): boolean {
  return player?.querySelector<HTMLElement>(".seek-cover")?.hidden === false;
}

function watchPictures(): void {
  const video = player?.querySelector("video");
  if (!video) throw new Error("there is no player");
  const read = (globalThis as unknown as { readonly shownFrame: () => number }).shownFrame;
  const note = (): void => {
    // Called before the player hears of the same picture.
    if (!isCovered()) seen.add(read());
    video.requestVideoFrameCallback(note);
  };
  video.requestVideoFrameCallback(note);
}

/** The pictures that nothing lay over, since the last call. */
function bare(): number[] {
  const pictures = [...seen];
  seen.clear();
  return pictures;
}

Object.assign(globalThis, { isCovered, watchPictures, bare });
