# The same over Python's websockets, with its own broadcast().
import asyncio, json, sys, time, resource
from websockets.asyncio.server import serve, broadcast

clients = set()

async def handler(socket):
    clients.add(socket)
    try:
        async for _ in socket:
            pass
    finally:
        clients.discard(socket)

async def main():
    async with serve(handler, "127.0.0.1", 0, compression=None, ping_interval=None) as server:
        port = server.sockets[0].getsockname()[1]
        say({"url": f"ws://127.0.0.1:{port}"})
        reader = asyncio.StreamReader()
        await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
        offset = 0
        while line := await reader.readline():
            command, *args = line.decode().split()
            if command == "cpu":
                say({"cpuMs": time.process_time() * 1000})
            elif command == "memory":
                say({"rss": int(open("/proc/self/statm").read().split()[1]) * resource.getpagesize()})
            elif command == "emit":
                count, per_turn, pause = int(args[0]), int(args[1]), float(args[2])
                for n in range(0, count, per_turn):
                    for _ in range(per_turn):
                        offset += 1
                        broadcast(clients, json.dumps({"type": "notification", "notification_type": "custom_event",
                            "data": {"t": time.time() * 1000, "pad": "x" * 80}, "timestamp": time.time(), "offset": offset}))
                    if n + per_turn < count:
                        await asyncio.sleep(pause / 1000)
                say({"emitted": count})

def say(value):
    print(json.dumps(value), flush=True)

asyncio.run(main())
