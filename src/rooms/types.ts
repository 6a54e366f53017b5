/** Where the messages of a member go. */
export interface Link {
  send(text: string): boolean;
  sendFrames?(frames: Buffer): boolean;
  bufferedBytes(): number;
  /** The member is put out; its connection ends. */
  end(code: number, reason: string): void;
}

/** What others are told when a member is gone, for whatever reason. A `timestamp` of null is filled in. */
export type Farewell = Readonly<Record<string, unknown>>;

export interface JoinInit {
  /** Rooms of one name in different spaces have nothing to do with each other. */
  readonly space: string;
  readonly room: string;
  /** What the member is called in the room. */
  readonly name: string;
  readonly link: Link;
  readonly farewell?: Farewell | undefined;
  /** Set by whoever comes first; whoever comes later must know it. */
  readonly password?: string | undefined;
  /** Stands for the password: made by {@link Rooms.roomToken}. */
  readonly token?: string | undefined;
  /** Only one member may have this name; `takeOver` puts the one who has it out. */
  readonly unique?: "refuse" | "takeOver" | undefined;
  /** Members this room may have; default: the setting. Holds from the first member on. */
  readonly maxMembers?: number | undefined;
}

/** Somebody in a room, here or on another node. */
export interface Presence {
  readonly id: string;
  readonly name: string;
  readonly joinedAtMs: number;
  /** Node it is connected to; undefined: this one. */
  readonly node: string | undefined;
}

/** A place in a room. */
export interface Membership {
  readonly id: string;
  readonly name: string;
  readonly room: string;
  /** Everybody in the room, this member included, in the order of joining. */
  members(): Presence[];
  /** Sends a text, byte for byte, to all others, or to all. */
  broadcast(text: string, options?: { readonly self?: boolean }): void;
  /** Sends a text to those of that name; false when there is nobody. */
  sendTo(name: string, text: string): boolean;
  /** Keeps texts for whoever joins next, in place of those kept before. */
  hold(texts: readonly string[]): void;
  /** Lets go of what all the others hold. */
  releaseOthers(): void;
  setFarewell(farewell: Farewell | undefined): void;
  /** The member is alive. */
  touch(): void;
  /** Ends the membership; the others are told. Idempotent. */
  leave(): void;
  readonly isOpen: boolean;
}

/** A room as an administrator sees it. */
export interface RoomSummary {
  readonly space: string;
  readonly room: string;
  readonly members: number;
  readonly protected: boolean;
  readonly createdAtMs: number;
}

export interface Rooms {
  /**
   * Takes a place. `LIMIT_REACHED` when the room or the node is full, `FORBIDDEN` when the password is wrong,
   * `CONFLICT` when the name is taken, `INVALID_REQUEST` for a name that cannot be one.
   */
  join(init: JoinInit): Membership;
  presence(space: string, room: string): Presence[];
  list(): RoomSummary[];
  /** A token that lets its bearer into a room without the password. */
  roomToken(space: string, room: string, ttlSeconds: number): string;
  /** A token that lets its bearer take a place again that is still held by its old connection. */
  resumeToken(space: string, room: string, name: string): string;
  checkResumeToken(token: string, space: string, room: string, name: string): boolean;
  close(): void;
}

/** Messages between the nodes that share rooms. */
export type RoomMessage =
  | {
      readonly kind: "join";
      readonly space: string;
      readonly room: string;
      readonly member: string;
      readonly name: string;
      readonly joinedAtMs: number;
      readonly farewell?: Farewell | undefined;
      readonly password?: string | undefined;
      /** True when it was here before and is only told again. */
      readonly again: boolean;
    }
  | { readonly kind: "leave"; readonly space: string; readonly room: string; readonly member: string }
  | {
      readonly kind: "text";
      readonly space: string;
      readonly room: string;
      readonly text: string;
      /** Member the text is for; undefined: all. */
      readonly target?: string | undefined;
    }
  /** Everybody who is here: those of this node who are not named have left. */
  | { readonly kind: "sync"; readonly members: readonly string[] }
  | { readonly kind: "release"; readonly space: string; readonly room: string; readonly member: string };

/** Joins the rooms of several nodes. */
export interface RoomsBackplane {
  /** Tells the other nodes; lost while they cannot be reached. */
  publish(message: RoomMessage): void;
  /** Hears the other nodes, each by its id. */
  onMessage(listener: (node: string, message: RoomMessage) => void): () => void;
  /** A node is gone, or cannot be reached any more. */
  onNodeGone(listener: (node: string) => void): () => void;
  /** Another node has come, or come back: it must be told who is here. */
  onNodeCame(listener: () => void): () => void;
}
