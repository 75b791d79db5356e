#!/usr/bin/env python3
"""psi mcp as another program sees it: the official Python client lists psi's tools, calculates, keeps a fact and finds it.

    .ci/mcp_client.py PSI

Needs the package of .ci/requirements-mcp.txt.
"""

import asyncio
import os
import sys
import tempfile

from mcp import ClientSession, StdioServerParameters
from mcp.client.stdio import stdio_client


async def check(program, home):
    environment = dict(os.environ, PSI_HOME=home)
    server = StdioServerParameters(command=program, args=["mcp"], env=environment)
    async with stdio_client(server) as (read, write), ClientSession(read, write) as session:
        await session.initialize()
        tools = {tool.name: tool for tool in (await session.list_tools()).tools}
        assert {"calculate", "convert", "remember", "recall"} <= tools.keys(), sorted(tools)
        # What needs approval is not offered to programs that nobody watches.
        assert not {"run_shell", "run_python", "write_file", "read_page"} & tools.keys(), sorted(tools)

        async def call(name, **arguments):
            result = await session.call_tool(name, arguments)
            failed = getattr(result, "is_error", getattr(result, "isError", False))
            return failed, "".join(part.text for part in result.content)

        assert await call("calculate", expression="1234 * 5678") == (False, "1234 * 5678 = 7006652")
        failed, _ = await call("calculate", expression="1 / 0")
        assert failed
        assert await call("remember", fact="my dog is called Rex") == (False, "saved")
        assert await call("recall", query="dog") == (False, "my dog is called Rex")
    # And what was kept is there for the next program.
    async with stdio_client(server) as (read, write), ClientSession(read, write) as session:
        await session.initialize()
        result = await session.call_tool("recall", {"query": "dog"})
        assert result.content[0].text == "my dog is called Rex"
    print(f"psi mcp: {len(tools)} tools, all calls answered")


with tempfile.TemporaryDirectory() as folder:
    asyncio.run(check(os.path.abspath(sys.argv[1]), folder))
