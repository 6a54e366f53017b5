export {
  createRedisRoomsBackplane,
  type RedisBackplaneInit,
  type RedisRoomsBackplane,
} from "./backplane.ts";
