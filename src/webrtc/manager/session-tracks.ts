import type { ControlEventMessage } from "@cidcast/protocols/media-control";
import { type AbortOptions, CidcastError } from "../../core/index.ts";
import type { MediaSource, RenditionSource } from "../../media/index.ts";
import type { HostClient } from "../thread/host-client.ts";
import type { HostTrack } from "../thread/messages.ts";
import type { AddTrackInit } from "../types.ts";
import { type ChosenTrack, chooseTracks } from "./choose-tracks.ts";
import type { Feeder } from "./feeder.ts";
import { MAX_MEDIA_SECTIONS, MAX_TRACKS } from "./limits.ts";

export interface SessionTracksInit {
  readonly id: string;
  readonly main: MediaSource;
  readonly chosen: readonly ChosenTrack[];
  readonly open: (cid: string, options: AbortOptions) => Promise<MediaSource>;
  readonly host: Pick<HostClient, "ask">;
}

/** A media section of a session and what is sent in it. */
interface Slot {
  /** The name it goes by in this session. */
  id: string;
  readonly source: MediaSource;
  info: ChosenTrack["info"];
  rendition: RenditionSource;
  state: "coming" | "on" | "off" | "ended";
}

/** The tracks of a session: those of its offer, and those that come and go later. One change at a time. */
export class SessionTracks {
  readonly #init: SessionTracksInit;
  readonly #slots: Slot[] = [];
  readonly #sources = new Set<MediaSource>();
  #changes: Promise<unknown> = Promise.resolve();
  #closed = false;

  constructor(init: SessionTracksInit) {
    this.#init = init;
    this.#sources.add(init.main);
    for (const chosen of init.chosen) this.#insert(chosen, "on");
  }

  get renditions(): readonly RenditionSource[] {
    return this.#slots.map(slot => slot.rendition);
  }

  /** As the media thread takes them. */
  get hostTracks(): readonly HostTrack[] {
    return this.#slots.map(hostTrack);
  }

  /** True while the offer for an added track waits for its answer. */
  get isOffering(): boolean {
    return this.#slots.some(slot => slot.state === "coming");
  }

  /** Of everything that is played together. */
  get durationSeconds(): number {
    return Math.max(...[...this.#sources].map(({ info }) => info.durationSeconds));
  }

  /** The sound of a track for another rate than 1. */
  async atTempo(track: number, tempo: number): Promise<RenditionSource> {
    const slot = this.#slots[track];
    if (slot === undefined) throw new CidcastError("TRACK_NOT_FOUND", `there is no track ${track}`);
    return slot.source.rendition(slot.info.id, { tempo });
  }

  /** A rung of a track's ladder is played from now on. */
  choose(track: number, rung: string): void {
    const slot = this.#slots[track];
    slot?.source.ladder?.choose(slot.info.id, rung);
  }

  /** Names that the tracks of the session's own content have there. */
  get ownTrackIds(): readonly string[] {
    const { main } = this.#init;
    return this.#slots.filter(slot => slot.source === main && isSent(slot)).map(({ info }) => info.id);
  }

  /** What viewers are told of the tracks. */
  greeting(): ControlEventMessage {
    const { main } = this.#init;
    const own = main.info.tracks.map(track => {
      const slot = this.#slots.find(({ source, info }) => source === main && info.id === track.id);
      return { ...describe(track), sent: slot !== undefined && isSent(slot) };
    });
    const added = this.#slots.filter(slot => slot.source !== main && slot.state !== "ended");
    const others = added.map(slot => ({
      ...describe(slot.info),
      id: slot.id,
      cid: slot.source.cid,
      sent: isSent(slot),
    }));
    return { type: "tracks", durationSeconds: this.durationSeconds, tracks: [...own, ...others] };
  }

  /** Opens one more track and makes the offer for it. `CONFLICT` while another offer waits for its answer. */
  add(feeder: Feeder, wanted: AddTrackInit): Promise<{ readonly trackId: string; readonly sdp: string }> {
    return this.#inTurn(async () => {
      this.#admit();
      const source = await this.#sourceOf(wanted);
      try {
        const [chosen] = await chooseTracks(source, {
          kind: wanted.kind,
          trackIds: wanted.trackId === undefined ? undefined : [wanted.trackId],
          signal: wanted.signal,
        });
        if (chosen === undefined)
          throw new CidcastError("TRACK_NOT_FOUND", `${wanted.cid} has no such track`);
        if (this.#closed) throw new CidcastError("SESSION_NOT_FOUND", `session ${this.#init.id} is closed`);
        const slot = this.#insert({ ...chosen, source }, "coming");
        feeder.add(slot.rendition);
        const { sdp } = await this.#init.host.ask("add_track", {
          id: this.#init.id,
          track: hostTrack(slot),
          durationSeconds: this.durationSeconds,
          greeting: this.greeting(),
        });
        return { trackId: slot.id, sdp };
      } finally {
        await this.#closeUnused(source);
      }
    });
  }

  /** The viewer has answered the offer for an added track. */
  answered(): void {
    for (const slot of this.#slots) if (slot.state === "coming") slot.state = "on";
  }

  /**
   * Switches a track on or off. One that the session does not carry takes the place of the one of its kind, where it can
   * go on in the same form: another language. `TRACK_NOT_FOUND`; `CONFLICT` when it needs a place of its own.
   */
  set(feeder: Feeder, trackId: string, enabled: boolean): Promise<void> {
    return this.#inTurn(async () => {
      const at = this.#slots.findIndex(slot => slot.id === trackId && isOpen(slot));
      if (at >= 0) return this.#turn(feeder, at, enabled ? "on" : "off");
      if (enabled) return this.#replace(feeder, trackId);
      throw new CidcastError("TRACK_NOT_FOUND", `the session carries no track ${trackId}`);
    });
  }

  /** Ends a track. Its place in the connection stays, empty. */
  remove(feeder: Feeder, trackId: string): Promise<void> {
    return this.#inTurn(async () => {
      const at = this.#slots.findIndex(slot => slot.id === trackId && isOpen(slot));
      const slot = this.#slots[at];
      if (slot === undefined) {
        throw new CidcastError("TRACK_NOT_FOUND", `the session carries no track ${trackId}`);
      }
      await this.#turn(feeder, at, "ended");
      await this.#closeUnused(slot.source);
    });
  }

  async close(): Promise<void> {
    this.#closed = true;
    const results = await Promise.allSettled([...this.#sources].map(source => source.close()));
    const failed = results.find(result => result.status === "rejected");
    if (failed !== undefined) throw failed.reason;
  }

  async #turn(feeder: Feeder, at: number, state: "on" | "off" | "ended"): Promise<void> {
    const slot = this.#slots[at];
    if (slot === undefined || slot.state === state) return;
    slot.state = state;
    if (state !== "on") feeder.rest(at);
    await this.#tell(at, state);
  }

  async #replace(feeder: Feeder, trackId: string): Promise<void> {
    const { main } = this.#init;
    const info = main.info.tracks.find(track => track.id === trackId);
    if (info === undefined) throw new CidcastError("TRACK_NOT_FOUND", `${main.cid} has no track ${trackId}`);
    const ofKind = (slot: Slot): boolean =>
      slot.source === main && slot.info.kind === info.kind && isOpen(slot);
    const at = this.#slots.findIndex(ofKind);
    const slot = this.#slots[at];
    const rendition = slot && (await main.rendition(trackId));
    if (slot === undefined || rendition?.info.codec !== slot.rendition.info.codec) {
      throw new CidcastError("CONFLICT", `the track ${trackId} needs a place of its own: add it`);
    }
    feeder.rest(at);
    feeder.replace(at, rendition);
    const was = slot.state;
    Object.assign(slot, { id: trackId, info, rendition, state: "on" });
    await this.#tell(at, was === "on" ? "renewed" : "on");
  }

  async #tell(track: number, change: "on" | "off" | "renewed" | "ended"): Promise<void> {
    const { host, id } = this.#init;
    await host.ask("change_track", { id, track, change, greeting: this.greeting() });
  }

  #admit(): void {
    if (this.isOffering) {
      throw new CidcastError("CONFLICT", "an added track waits for the answer to its offer");
    }
    if (this.#slots.filter(isOpen).length >= MAX_TRACKS) {
      throw new CidcastError("LIMIT_REACHED", `a session carries at most ${MAX_TRACKS} tracks: remove one`);
    }
    if (this.#slots.length >= MAX_MEDIA_SECTIONS) {
      throw new CidcastError(
        "LIMIT_REACHED",
        "tracks were added and removed too often: ask for another offer",
      );
    }
  }

  async #sourceOf({ cid, signal }: AddTrackInit): Promise<MediaSource> {
    const source = await this.#init.open(cid, { signal });
    const same = [...this.#sources].find(known => known.cid === source.cid);
    if (same === undefined || same === source) return source;
    await source.close();
    return same;
  }

  async #closeUnused(source: MediaSource): Promise<void> {
    const used = this.#slots.some(slot => slot.source === source && slot.state !== "ended");
    if (used || source === this.#init.main) return;
    this.#sources.delete(source);
    await source.close();
  }

  #insert({ info, rendition, source }: ChosenTrack, state: Slot["state"]): Slot {
    const taken = this.#slots.some(slot => slot.id === info.id && slot.state !== "ended");
    const id = taken ? `${info.id}.${this.#slots.length}` : info.id;
    const slot = { id, source, info, rendition, state };
    this.#slots.push(slot);
    this.#sources.add(source);
    return slot;
  }

  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const next = this.#changes.then(work);
    this.#changes = next.catch(() => undefined);
    return next;
  }
}

function isOpen({ state }: Slot): boolean {
  return state === "on" || state === "off";
}

function isSent({ state }: Slot): boolean {
  return state === "on" || state === "coming";
}

function hostTrack({ id, rendition }: Slot): HostTrack {
  const { kind, codec, bitrateBps } = rendition.info;
  return { id, kind, codec, bitrateBps };
}

function describe(track: ChosenTrack["info"]) {
  return {
    id: track.id,
    kind: track.kind,
    codec: track.codec,
    ...(track.language === undefined ? {} : { language: track.language }),
    verdict: { mode: track.verdict.mode, reason: track.verdict.reason },
  };
}
