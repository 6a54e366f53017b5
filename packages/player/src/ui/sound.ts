/** Where the viewer's volume is kept between visits. */
const STORAGE_KEY = "cid-player-volume";

/** Volume, mute, and what the browser's autoplay rules make of them. */
export interface Sound {
  readonly volume: number;
  readonly muted: boolean;
  /** True while sound is off because the browser wanted a click first. */
  readonly blocked: boolean;
  setVolume(volume: number): void;
  setMuted(muted: boolean): void;
  /** Silence at once while paused: the last packets are still on their way. */
  setPaused(paused: boolean): void;
  /**
   * Plays a stream, or the file that the element has, without sound where the browser allows no other. False when it
   * allows none at all.
   */
  start(stream?: MediaStream): Promise<boolean>;
}

export function createSound(video: HTMLVideoElement, onChange: () => void): Sound {
  let blocked = false;
  video.volume = storedVolume();
  video.addEventListener("volumechange", onChange);

  const audioTracks = (): MediaStreamTrack[] =>
    video.srcObject instanceof MediaStream ? video.srcObject.getAudioTracks() : [];
  return {
    get volume() {
      return video.volume;
    },
    get muted() {
      return video.muted;
    },
    get blocked() {
      return blocked;
    },
    setVolume(volume) {
      video.volume = Math.min(1, Math.max(0, volume));
      video.muted = video.volume === 0;
      blocked = false;
      storeVolume(video.volume);
      onChange();
    },
    setMuted(muted) {
      video.muted = muted;
      if (!muted && video.volume === 0) video.volume = 0.5;
      blocked = false;
      onChange();
    },
    setPaused(paused) {
      for (const track of audioTracks()) track.enabled = !paused;
    },
    async start(stream) {
      if (stream !== undefined) video.srcObject = stream;
      const first = await tryPlay(video);
      if (first !== "blocked") return true;
      if (video.muted) return false;
      video.muted = true;
      blocked = (await tryPlay(video)) === "playing";
      if (!blocked) video.muted = false;
      onChange();
      return blocked;
    },
  };
}

async function tryPlay(video: HTMLVideoElement): Promise<"playing" | "blocked" | "replaced"> {
  try {
    await video.play();
    return "playing";
  } catch (error) {
    // Any other error means that a newer stream took this one's place.
    return error instanceof DOMException && error.name === "NotAllowedError" ? "blocked" : "replaced";
  }
}

function storedVolume(): number {
  try {
    const stored = Number.parseFloat(localStorage.getItem(STORAGE_KEY) ?? "1");
    return stored >= 0 && stored <= 1 ? stored : 1;
  } catch {
    // Storage may be forbidden to this page: then the volume lasts as long as the page.
    return 1;
  }
}

function storeVolume(volume: number): void {
  try {
    localStorage.setItem(STORAGE_KEY, String(volume));
  } catch {
    // As above.
  }
}
