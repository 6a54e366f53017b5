# FastMCP's own HTTP server, without state and with JSON answers: its fastest way.
import json, socket, sys, threading, os
from fastmcp import FastMCP

mcp = FastMCP("bench")

@mcp.tool
def echo(message: str) -> str:
    return message

with socket.socket() as free:
    free.bind(("127.0.0.1", 0))
    port = free.getsockname()[1]

def end_with_input():
    sys.stdin.read()
    os._exit(0)

threading.Thread(target=end_with_input, daemon=True).start()
print(json.dumps({"http": f"http://127.0.0.1:{port}/mcp"}), flush=True)
mcp.run(transport="http", host="127.0.0.1", port=port, path="/mcp", log_level="ERROR",
        stateless_http=True, json_response=True, show_banner=False)
