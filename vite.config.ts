import { fileURLToPath } from "node:url";
import { defineConfig } from "vite";

const at = (path: string): string => fileURLToPath(new URL(path, import.meta.url));

/** Address of the node that vite's dev server passes requests on to. */
const NODE = process.env["CIDCAST_DEV_NODE"] ?? "http://127.0.0.1:8000";

export default defineConfig({
  root: at("./web"),
  publicDir: false,
  // The node's pages allow no inline script, style or data: every part is a file of its own.
  build: {
    outDir: process.env["CIDCAST_WEB_OUT"] ?? at("./web/dist"),
    emptyOutDir: true,
    target: "es2023",
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    rolldownOptions: {
      input: {
        index: at("./web/index.html"),
        play: at("./web/play.html"),
        console: at("./web/console.html"),
        player: at("./web/src/embed/main.ts"),
      },
      // Pages elsewhere name the player's script, so its name stays.
      output: {
        entryFileNames: chunk => (chunk.name === "player" ? "player.js" : "assets/[name]-[hash].js"),
      },
    },
  },
  plugins: [
    {
      name: "play-page",
      configureServer(server) {
        server.middlewares.use((request, _response, next) => {
          if (request.url?.startsWith("/play/")) request.url = "/play.html";
          next();
        });
      },
    },
  ],
  server: {
    host: "127.0.0.1",
    port: 5173,
    proxy: { "/api": NODE, "/ipfs": NODE, "/webrtc": { target: NODE, ws: true } },
  },
});
