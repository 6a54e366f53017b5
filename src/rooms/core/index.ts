export { createRooms, type RoomsComponents, type RoomsInit } from "./rooms.ts";
export { createTokenSigner, type TokenSigner } from "./tokens.ts";
