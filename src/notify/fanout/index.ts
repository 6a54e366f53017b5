export { createFanout, type Fanout, type FanoutComponents, type Followed } from "./fanout.ts";
export { Batch, notificationOf, textFrame, compressedFrame } from "./frame.ts";
export { ALL_TOPICS, createSelection, type Selection, type SelectionInit } from "./selection.ts";
export type { Sink, Subscriber } from "./subscriber.ts";
