// `<script type="module" src="https://node.example/player.js">` in any page: `<cid-player src-cid="…">` then plays from
// the node that the script came from.
import { CidPlayer } from "@cidcast/player/element";

const NODE = new URL(import.meta.url).origin;

class EmbeddedPlayer extends CidPlayer {
  protected override get defaultNode(): string {
    return NODE;
  }
}

if (customElements.get("cid-player") === undefined) customElements.define("cid-player", EmbeddedPlayer);
