export { createRooms, createTokenSigner, type RoomsInit, type TokenSigner } from "./core/index.ts";
export type { JsonRpcDoor } from "./doors/chat.ts";
export {
  createRedisRoomsBackplane,
  NODE_GONE_MS,
  type RedisBackplaneInit,
  type RedisRoomsBackplane,
} from "./redis/index.ts";
export {
  createRoomsService,
  type RoomsService,
  type RoomsServiceComponents,
  type RoomsServiceInit,
} from "./service.ts";
export type {
  JoinInit,
  Membership,
  Presence,
  RoomMessage,
  RoomSummary,
  Rooms,
  RoomsBackplane,
} from "./types.ts";
