"""A WHEP player of aiortc: plays an address until so many pictures and sound frames are decoded, then ends its session."""

import asyncio
import json
import sys
import urllib.error
import urllib.parse
import urllib.request

from aiortc import RTCPeerConnection, RTCSessionDescription

PICTURES = 30
SOUNDS = 50


def ask(method, url, body=None, headers=None):
    request = urllib.request.Request(url, method=method, data=body, headers=headers or {})
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:
            return answer.status, answer.headers, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.headers, error.read().decode()


async def count(track, wanted, found):
    times = []
    while len(times) < wanted:
        frame = await track.recv()
        times.append(frame.time)
        if track.kind == "video":
            found["size"] = [frame.width, frame.height]
    found[track.kind] = len(times)
    found[f"{track.kind}_rises"] = all(b > a for a, b in zip(times, times[1:]))


async def main(url):
    pc = RTCPeerConnection()
    found = {}
    tasks = []
    both = asyncio.Event()

    @pc.on("track")
    def on_track(track):
        tasks.append(asyncio.create_task(count(track, PICTURES if track.kind == "video" else SOUNDS, found)))
        if len(tasks) == 2:
            both.set()

    pc.addTransceiver("video", direction="recvonly")
    pc.addTransceiver("audio", direction="recvonly")
    await pc.setLocalDescription(await pc.createOffer())
    offer = pc.localDescription.sdp.encode()
    status, headers, answer = await asyncio.to_thread(
        ask, "POST", url, offer, {"content-type": "application/sdp"}
    )
    found["post"] = status
    if status == 201:
        location = urllib.parse.urljoin(url, headers["Location"])
        found["etag"] = headers["ETag"].startswith('"')
        await pc.setRemoteDescription(RTCSessionDescription(sdp=answer, type="answer"))
        await both.wait()
        await asyncio.wait_for(asyncio.gather(*tasks), 90)
        found["delete"] = (await asyncio.to_thread(ask, "DELETE", location))[0]
        found["again"] = (await asyncio.to_thread(ask, "DELETE", location))[0]
    else:
        found["code"] = json.loads(answer)["error"]["code"]
    await pc.close()
    print(json.dumps(found))


asyncio.run(main(sys.argv[1]))
