import { CidConsole } from "./console-page.ts";

customElements.define("cid-console", CidConsole);
