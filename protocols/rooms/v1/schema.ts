import { z } from "zod";

const name = z.string().max(256);
const anything = z.unknown().optional();

/** `/ws/signal/`: what is relayed. Only `type` is looked at; the text goes on as it came. */
export const relaySchema = z.looseObject({ type: z.enum(["offer", "answer", "candidate", "leave"]) });

const secrets = { password: z.string().max(256).optional(), room_token: z.string().max(256).optional() };

/** `/ws/signaling/`: messages of a peer. */
export const signalingSchema = z.looseObject({
  type: z.enum(["join", "leave", "offer", "answer", "ice-candidate", "peers"]),
  room: name.nullish(),
  payload: z
    .looseObject({
      peer_id: name.optional(),
      target_peer_id: name.optional(),
      offer: anything,
      answer: anything,
      candidate: anything,
      resume_token: z.string().max(256).optional(),
      ...secrets,
    })
    .default({}),
});
export type SignalingMessage = z.output<typeof signalingSchema>;

/** `/ws/mcp/`: messages of the room chat. */
export const chatSchema = z.looseObject({
  type: z.enum(["connect", "join-room", "leave-room", "message", "disconnect"]),
  room: name.nullish(),
  payload: z.looseObject({ user_id: name.optional(), content: anything, ...secrets }).default({}),
});
export type ChatMessage = z.output<typeof chatSchema>;

/** Roles of a peer in a session. */
export const PEER_ROLES = ["broadcaster", "viewer", "participant", "relay", "recorder"] as const;
export const SESSION_TYPES = ["broadcast", "mesh", "hybrid"] as const;

export const sessionOptionsSchema = z.looseObject({
  session_id: name.min(1).optional(),
  session_type: z.enum(SESSION_TYPES).default("mesh"),
  max_peers: z.number().int().min(1).max(1000).default(20),
  public: z.boolean().default(true),
  password: z.string().max(256).optional(),
});
export type SessionOptions = z.output<typeof sessionOptionsSchema>;

export const peerInfoSchema = z.looseObject({
  peer_id: name.min(1).optional(),
  role: z.enum(PEER_ROLES).default("viewer"),
  capabilities: z.record(z.string().max(256), anything).or(z.array(anything).max(64)).optional(),
  client_info: z.looseObject({}).optional(),
  metadata: z.looseObject({}).optional(),
});
export type PeerInfo = z.output<typeof peerInfoSchema>;

/** `/signaling`: messages of the multi-peer sessions. Which fields each needs is checked by name, for the error's text. */
export const sessionMessageSchema = z.looseObject({
  type: z.string().max(64),
  session_id: name.optional(),
  session_options: z.unknown().optional(),
  peer_info: z.unknown().optional(),
  peer_id: name.optional(),
  public_only: z.boolean().optional(),
  source_peer_id: name.optional(),
  target_peer_id: name.optional(),
  pc_id: name.optional(),
  sdp: z.string().optional(),
  sdp_type: z.string().max(32).optional(),
  candidate: anything,
  sdp_mid: name.nullish(),
  sdp_mline_index: z.number().int().min(0).nullish(),
  track_info: z.looseObject({ track_id: name.min(1).optional() }).optional(),
  track_id: name.optional(),
  password: z.string().max(256).optional(),
});
export type SessionMessage = z.output<typeof sessionMessageSchema>;
