"""A page in Chromium, which comes from the application's own server.

    chromium_client.py ADDRESS
"""

import asyncio
import json
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).parents[2] / "python"))

from devtools import browser  # noqa: E402
from lines import commands, say  # noqa: E402


async def main(address):
    async with browser("chromium") as tools:
        session = await tools.open(f"http://{address}/")
        lock = asyncio.Lock()

        async def value(expression):
            async with lock:
                return await tools.value(session, expression)

        async def watch():
            told = 0
            while True:
                lines = json.loads(await value("JSON.stringify(lines)") or "[]")
                for line in lines[told:]:
                    say(line)
                    if line.startswith(("closed", "refused")):
                        return
                told = len(lines)
                await asyncio.sleep(0.02)

        watching = asyncio.create_task(watch())

        async def obey():
            async for command, argument in commands():
                await value(f"tell({json.dumps(command)}, {json.dumps(argument)})")

        obeying = asyncio.create_task(obey())
        await watching
        obeying.cancel()


asyncio.run(main(sys.argv[1]))
