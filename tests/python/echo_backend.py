"""A WebSocket server that knows nothing of any gateway: prints its address, echoes.

    echo_backend.py [PORT]
"""

import asyncio
import sys

from websockets.asyncio.server import serve


async def echo(socket):
    async for message in socket:
        await socket.send(message)


async def main(port=0):
    async with serve(echo, "127.0.0.1", int(port), max_size=None) as server:
        host, port = server.sockets[0].getsockname()[:2]
        print(f"{host}:{port}", flush=True)
        await server.serve_forever()


asyncio.run(main(*sys.argv[1:]))
