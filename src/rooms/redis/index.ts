export {
  createRedisRoomsBackplane,
  NODE_GONE_MS,
  type RedisBackplaneInit,
  type RedisRoomsBackplane,
} from "./backplane.ts";
