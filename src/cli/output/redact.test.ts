import { expect, test } from "vitest";
import { redact } from "./redact.ts";

test("addresses, names, ids and paths go; one thing keeps one name; loopback and the rest stay", () => {
  const peer = "12D3KooWRawPbxPtP1eZaJpumGnyWX2DcUyd3RQnydr3eAto4Az7";
  const report = {
    against: "https://node.example.org:8443",
    findings: [
      { meaning: `dial /ip4/192.168.1.7/tcp/4001/p2p/${peer} in 12 ms` },
      { meaning: `again 192.168.1.7 and 10.0.0.3, ${peer}; 127.0.0.1:8000 answers` },
      { meaning: "2001:db8::7 is not reached; see /home/anna/.cidcast/log", count: 3 },
      {
        meaning:
          "bafkreigh2akiscaildcqabsyg3dfr6chu3fgpregiymsck7e7aqa4s52zy at /dns4/node.example.org/tcp/1",
      },
    ],
  };
  expect(redact(report)).toEqual({
    against: "https://<host-1>:8443",
    findings: [
      { meaning: "dial /ip4/<ip-1>/tcp/4001/p2p/<peer-1> in 12 ms" },
      { meaning: "again <ip-1> and <ip-2>, <peer-1>; 127.0.0.1:8000 answers" },
      { meaning: "<ip-3> is not reached; see <path-1>", count: 3 },
      { meaning: "<cid-1> at /dns4/<host-1>/tcp/1" },
    ],
  });
});
