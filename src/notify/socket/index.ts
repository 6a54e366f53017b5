export { createBudget } from "./budget.ts";
export {
  createNotificationHandler,
  type NotificationHandler,
  type NotificationInit,
} from "./notifications.ts";
export { createPlaces, type Places, type PlacesInit } from "./places.ts";
export type { NotificationComponents } from "./shared.ts";
export { createGeneralHandler, type GeneralComponents, type SignallingDoor } from "./general.ts";
export { createStatusHandler, type NodeStatus, type StatusComponents } from "./status.ts";
