"""The `websockets` client, for servers that bring none of their own.

    websockets_client.py ADDRESS [ORIGIN]
"""

import asyncio
import sys

from lines import both, heard, obey, say
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus


async def main(address):
    try:
        socket = await connect(f"ws://{address}/chat/echo", origin=f"http://{address}")
    except InvalidStatus as error:
        say(f"refused {error.response.status_code}")
        return
    say("open")

    async def read():
        async for message in socket:
            heard(message)

    try:
        await both(read(), obey(socket.send, socket.send, socket.close))
    except Exception as error:  # what it ended with is in its code
        print(repr(error), file=sys.stderr)
    say(f"closed {socket.close_code} {socket.close_reason or ''}")


asyncio.run(main(sys.argv[1]))
