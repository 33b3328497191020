/** `@wastegate/client`: a drop-in for `WebSocket` that obeys the gateway's close codes. */
export { WastegateSocket, WastegateSocket as default } from "./socket.js";
export { BUILT_IN_HINTS, LIMITS } from "./options.js";
export { SUBPROTOCOL } from "./notices.js";
export { SocketCloseEvent } from "./surface.js";
export type { Heartbeat, Limits, Names, Options, SocketClass, VisibilityHints } from "./options.js";
export type { Lost, Pressure, Refusal, SocketEventMap, Surface } from "./surface.js";
