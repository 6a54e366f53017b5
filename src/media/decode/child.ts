// Decodes one picture of H.264 (Annex B, from standard input) and tells its size: apart from the node, as it may be anybody's.
import { Decoder } from "../transcode/child/node-av-decoder.ts";

const chunks: Buffer[] = [];
for await (const chunk of process.stdin) chunks.push(chunk as Buffer);
const data = Buffer.concat(chunks);
const decoder = new Decoder(
  { codec: "h264", flavour: "h264", codecString: "", width: 0, height: 0, channels: 0, sampleRate: 0 },
  "video",
);
let size: { width: number; height: number } | undefined;
const take = (frame: { readonly width: number; readonly height: number }): void => {
  size ??= { width: frame.width, height: frame.height };
};
decoder.decode({ data, ptsUs: 0, key: true }, take);
decoder.decode(undefined, take);
process.stdout.write(JSON.stringify(size ?? {}));
