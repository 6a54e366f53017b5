import type { ErrorCode } from "@cidcast/client";

/** An error in words for the viewer. */
export interface ErrorText {
  /** What happened. */
  readonly title: string;
  /** What to do about it. */
  readonly advice: string;
  /** False when trying again cannot help. */
  readonly retry: boolean;
  /** The node's own words say more, and come first. */
  readonly inItsWords?: true;
}

const TEXTS: Partial<Record<ErrorCode, ErrorText>> = {
  INVALID_CID: {
    title: "This address is not a CID",
    advice: "A CID begins with “bafy”, “bafk” or “Qm”. Check that the link was copied whole.",
    retry: false,
  },
  CONTENT_NOT_FOUND: {
    title: "This content is not here",
    advice:
      "Neither this node nor a node connected to it has it. Add the file to this node, or connect a node that has it.",
    retry: true,
  },
  PATH_NOT_FOUND: {
    title: "The folder has no such file",
    advice: "Check the name at the end of the address.",
    retry: false,
  },
  NOT_A_FILE: {
    title: "This is a folder",
    advice: "A folder cannot be played. Choose one of the files in it.",
    retry: false,
  },
  UNSUPPORTED_MEDIA: {
    title: "There is nothing to play in this file",
    advice:
      "It holds no picture or sound that this node knows. The file itself is whole and can be downloaded.",
    retry: false,
  },
  UNSUPPORTED_DAG: {
    title: "This content is of a kind that cannot be played",
    advice: "Its CID does not name a file.",
    retry: false,
  },
  CORRUPT_MEDIA: {
    title: "The file is damaged",
    advice:
      "The part asked for cannot be read. Try another place in it, or add the file again from its source.",
    retry: true,
  },
  CORRUPT_BLOCK: {
    title: "Part of the content is damaged",
    advice: "Its bytes do not match the CID, so they are not shown. Add or fetch the content again.",
    retry: true,
  },
  CORRUPT_DAG: {
    title: "The content contradicts itself",
    advice: "Whoever made this CID wrote it wrongly. Add the file again from its source.",
    retry: false,
  },
  ENCODER_MISSING: {
    title: "This file needs an encoder that is not installed",
    advice: "Whoever runs the node can install the package node-av, or set FFMPEG_PATH to an ffmpeg program.",
    retry: true,
  },
  TRANSCODE_FAILED: {
    title: "The file could not be converted for playing",
    advice: "The encoder stopped with an error. Trying again may help; the node's log has the cause.",
    retry: true,
  },
  BUSY: {
    title: "The node is busy",
    advice: "Try again in a moment.",
    retry: true,
    inItsWords: true,
  },
  LIMIT_REACHED: {
    title: "Too many players are open",
    advice: "Close one of them and try again.",
    retry: true,
  },
  FEATURE_DISABLED: {
    title: "Playing is switched off on this node",
    advice: "Its WebRTC part is switched off or could not start: the node's log says why.",
    retry: true,
  },
  NODE_UNREACHABLE: {
    title: "The node does not answer",
    advice: "Check that it is running and that this device can reach it.",
    retry: true,
  },
  TIMEOUT: {
    title: "The node took too long",
    advice: "It may be waiting for content from another node. Try again.",
    retry: true,
  },
  UNAUTHENTICATED: {
    title: "A token is needed",
    advice: "Ask whoever runs the node for access.",
    retry: true,
  },
  FORBIDDEN: {
    title: "You may not play this",
    advice: "Ask whoever runs the node for access.",
    retry: false,
  },
  ORIGIN_NOT_ALLOWED: {
    title: "This page may not use the node",
    advice: "Whoever runs the node can allow the page's address.",
    retry: false,
  },
  SHUTTING_DOWN: { title: "The node is stopping", advice: "Try again when it is back.", retry: true },
};

/** What to say while a connection is made again, for the `attempt`th time. */
export function retryWords(code: ErrorCode, attempt: number): string {
  if (code === "BUSY") return "The node is busy. Trying again…";
  return attempt > 1 ? "Connection lost. Still trying to reconnect…" : "Connection lost. Reconnecting…";
}

/** What to tell the viewer about an error of that code. */
export function errorText(code: ErrorCode): ErrorText {
  return (
    TEXTS[code] ?? {
      title: "Something went wrong",
      advice: "Try again. If it stays, the node's log has the cause.",
      retry: true,
    }
  );
}
