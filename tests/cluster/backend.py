"""Echoes: backend.py PORT"""

import asyncio
import sys

from websockets.asyncio.server import serve


async def echo(socket):
    async for message in socket:
        await socket.send(message)


async def main(port):
    async with serve(echo, "0.0.0.0", port, ping_interval=None, compression=None):
        await asyncio.get_running_loop().create_future()


asyncio.run(main(int(sys.argv[1])))
