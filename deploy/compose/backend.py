"""A WebSocket server that sends back what it gets: python backend.py HOST PORT"""

import asyncio
import signal
import sys

from websockets.asyncio.server import serve


async def echo(socket):
    async for message in socket:
        await socket.send(message)


async def main(host, port):
    stop = asyncio.get_running_loop().create_future()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set_result, None)
    async with serve(echo, host, port) as server:
        print("{}:{}".format(*server.sockets[0].getsockname()), flush=True)
        await stop


asyncio.run(main(sys.argv[1], int(sys.argv[2])))
