import { CidcastError } from "../../core/index.ts";
import type { Player } from "../player/player.ts";
import type { ControlCommand } from "../types.ts";

/** Does what a command asks of the player of one viewer. `INVALID_REQUEST` for one that is not the player's. */
export async function obeyPlayer(player: Player, command: ControlCommand, nowMs: number): Promise<void> {
  switch (command.type) {
    case "pause":
      return player.pause(nowMs);
    case "resume":
      return player.resume(nowMs);
    case "seek":
      return player.seek(command.positionSeconds, nowMs, command.exact);
    case "set_loop":
      return player.setLoop(command.loop, command.range);
    case "set_rate":
      return player.setRate(command.rate, nowMs);
    case "step":
      return player.step(command.frames, nowMs);
    case "get_state":
      return undefined;
    default:
      throw new CidcastError("INVALID_REQUEST", "unknown control command");
  }
}
