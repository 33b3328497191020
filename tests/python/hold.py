"""Opens sessions and holds them until it is killed: `hold.py URL SESSIONS`. Prints `holding`."""

import asyncio
import sys

from websockets.asyncio.client import connect


async def main(url, sessions):
    held = [
        await connect(f"{url}?user=py{number % 10}&key=k{number}") for number in range(sessions)
    ]
    print("holding", flush=True)
    await asyncio.Event().wait()
    del held


asyncio.run(main(sys.argv[1], int(sys.argv[2])))
