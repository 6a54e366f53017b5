"""What an agent does with the second generation of the mcp package; prints what it was told as JSON."""

import asyncio
import json
import os
import sys

import httpx2
from mcp.client.client import Client
from mcp.client.stdio import StdioServerParameters, stdio_client
from mcp.client.streamable_http import streamable_http_client


def transport(carrier: str):
    if carrier == "http":
        headers = {"Authorization": f"Bearer {os.environ['MCP_TOKEN']}"}
        return streamable_http_client(os.environ["MCP_URL"], http_client=httpx2.AsyncClient(headers=headers))
    command, *args = json.loads(os.environ["MCP_COMMAND"])
    return stdio_client(StdioServerParameters(command=command, args=args, env=dict(os.environ)))


async def main() -> None:
    async with Client(transport(sys.argv[1]), mode=sys.argv[2]) as client:
        tools = await client.list_tools()
        echoed = await client.call_tool("echo", {"message": "Grüße 🎬"})
        added = await client.call_tool("content_add", {"text": "from python", "name": "p.txt"})
        cid = added.structured_content["cid"]
        read_back = await client.read_resource(f"ipfs://{cid}")
        wrong = await client.call_tool("calculator", {"expression": "1 +"})
        prompts = await client.list_prompts()
        print(
            json.dumps(
                {
                    # A client that was told the revision asks the server nothing before its first call.
                    "server": client.server_info and client.server_info.name,
                    "revision": client.protocol_version,
                    "tools": [tool.name for tool in tools.tools],
                    "echo": echoed.content[0].text,
                    "text": read_back.contents[0].text,
                    "refused": wrong.is_error,
                    "prompts": len(prompts.prompts),
                }
            )
        )


asyncio.run(main())
