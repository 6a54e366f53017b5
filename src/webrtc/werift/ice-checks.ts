import type { MuxPort } from "../net/index.ts";
import type { IceInternals, IcePair, StunMessage } from "./internals.ts";

/** `IN_PROGRESS` and `SUCCEEDED` of the package's pairs. */
const IN_PROGRESS = 2;
const SUCCEEDED = 3;
/** Checks of one pair that a viewer's own may cause. */
const MAX_CHECKS_OF_PAIR = 16;
/** A viewer whose address has been silent so long while it speaks from another one has moved there, ms. */
const MOVED_MS = 1000;

/**
 * Takes the package's way with a viewer's checks further: each is answered with a check of ours at once, those of other
 * credentials than the present ones are only answered, and a viewer that goes on at another address is followed there.
 */
export function watchChecks(connection: IceInternals, port: MuxPort): void {
  const checkIncoming = connection.checkIncoming.bind(connection);
  connection.checkIncoming = (message, from, protocol) => {
    if (!isPresent(connection, message)) return;
    const find = (): IcePair | undefined =>
      connection.checkList.find(pair => pair.protocol === protocol && isAt(pair.remoteAddr, from));
    const before = find()?.state;
    checkIncoming(message, from, protocol);
    const pair = find();
    if (pair === undefined) return;
    if (connection.nominated !== undefined) {
      const asked = message.attributesKeys.includes("USE-CANDIDATE") && !connection.iceControlling;
      if (pair !== connection.nominated) void follow(connection, port, { pair, asked });
    } else if (before === IN_PROGRESS || before === SUCCEEDED) {
      checkBack(connection, pair);
    }
  };
}

/**
 * A check that the package has under way may have gone to a viewer that did not know us yet, and would come again only
 * later. Viewers that nominate on the next check they see, as Pion does, are spared up to 200 ms.
 * @see https://www.rfc-editor.org/rfc/rfc8445#section-7.3.1.4
 */
function checkBack(connection: IceInternals, pair: IcePair): void {
  if (pair.requestsSent < MAX_CHECKS_OF_PAIR) pair.handle = connection.checkStart(pair);
}

/** Sends to where the viewer is now: it nominated that pair, or is heard of nowhere else any more. */
async function follow(
  connection: IceInternals,
  port: MuxPort,
  { pair, asked }: { readonly pair: IcePair; readonly asked: boolean },
): Promise<void> {
  await pair.handle?.awaitable.catch(() => undefined);
  if (pair.state !== SUCCEEDED || connection.nominated === undefined || connection.nominated === pair) return;
  if (!connection.checkList.includes(pair) || (!asked && port.silentMs < MOVED_MS)) return;
  pair.nominated = true;
  connection.nominated = pair;
  port.watch(...pair.remoteAddr);
}

function isPresent({ localUsername, remoteUsername }: IceInternals, message: StunMessage): boolean {
  const username = message.getAttributeValue("USERNAME");
  // Before the viewer's description is here there is nothing to compare with.
  return remoteUsername === "" || username === `${localUsername}:${remoteUsername}`;
}

function isAt(address: readonly [string, number], from: readonly [string, number]): boolean {
  return address[0] === from[0] && address[1] === from[1];
}
