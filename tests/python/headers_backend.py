"""A WebSocket server that knows nothing of any gateway: prints its address, and answers every message, which is the name
of a header, with the values of that header in the request as a JSON list.

    headers_backend.py
"""

import asyncio
import json

from websockets.asyncio.server import serve


async def answer(socket):
    async for name in socket:
        await socket.send(json.dumps(socket.request.headers.get_all(name)))


async def main():
    async with serve(answer, "127.0.0.1", 0) as server:
        host, port = server.sockets[0].getsockname()[:2]
        print(f"{host}:{port}", flush=True)
        await server.serve_forever()


asyncio.run(main())
