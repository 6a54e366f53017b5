"""What an agent does with the first generation of the mcp package; prints what it was told as JSON."""

import asyncio
import json
import os
import sys
from contextlib import AsyncExitStack

from mcp import ClientSession, StdioServerParameters
from mcp.client.stdio import stdio_client
from mcp.client.streamable_http import streamablehttp_client
from mcp.client.websocket import websocket_client


async def streams(stack: AsyncExitStack, carrier: str):
    if carrier == "http":
        headers = {"Authorization": f"Bearer {os.environ['MCP_TOKEN']}"}
        opened = await stack.enter_async_context(streamablehttp_client(os.environ["MCP_URL"], headers=headers))
        return opened[0], opened[1]
    if carrier == "websocket":
        return await stack.enter_async_context(websocket_client(os.environ["MCP_URL"]))
    command, *args = json.loads(os.environ["MCP_COMMAND"])
    return await stack.enter_async_context(
        stdio_client(StdioServerParameters(command=command, args=args, env=dict(os.environ)))
    )


async def main() -> None:
    async with AsyncExitStack() as stack:
        read, write = await streams(stack, sys.argv[1])
        session = await stack.enter_async_context(ClientSession(read, write))
        opened = await session.initialize()
        tools = await session.list_tools()
        echoed = await session.call_tool("echo", {"message": "Grüße 🎬"})
        added = await session.call_tool("content_add", {"text": "from python", "name": "p.txt"})
        cid = added.structuredContent["cid"]
        read_back = await session.read_resource(f"ipfs://{cid}")
        wrong = await session.call_tool("calculator", {"expression": "1 +"})
        prompts = await session.list_prompts()
        print(
            json.dumps(
                {
                    "server": opened.serverInfo.name,
                    "revision": opened.protocolVersion,
                    "tools": [tool.name for tool in tools.tools],
                    "echo": echoed.content[0].text,
                    "text": read_back.contents[0].text,
                    "refused": wrong.isError,
                    "prompts": len(prompts.prompts),
                }
            )
        )


asyncio.run(main())
