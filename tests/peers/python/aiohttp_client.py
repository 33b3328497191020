"""aiohttp's own client."""

import asyncio
import sys

import aiohttp
from lines import both, heard, obey, say


async def main(address):
    async with aiohttp.ClientSession() as session:
        try:
            socket = await session.ws_connect(f"ws://{address}/chat/echo")
        except aiohttp.WSServerHandshakeError as error:
            say(f"refused {error.status}")
            return
        say("open")

        async def read():
            async for message in socket:
                heard(message.data)

        leaving = []

        async def leave():
            # Reading ends as soon as this begins.
            leaving.append(asyncio.create_task(socket.close()))

        await both(read(), obey(socket.send_str, socket.send_bytes, leave))
        await asyncio.gather(*leaving)
        say(f"closed {socket.close_code}")


asyncio.run(main(sys.argv[1]))
