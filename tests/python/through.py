"""Talks to an echo server at a URL, and prints what came of it as JSON."""

import asyncio
import json
import sys

from websockets.asyncio.client import connect


async def main(url):
    async with connect(url, max_size=None) as socket:
        extensions = [extension.name for extension in socket.protocol.extensions]
        text = "so and so " * 6_000
        await socket.send(text)
        whole = await socket.recv() == text
        # In three fragments, the first of which says that the message is compressed.
        await socket.send(["one ", "two ", "three"])
        pieces = await socket.recv()
        await (await socket.ping(b"are you there"))
        # Longer than the gateway's heartbeat, which is not to be seen here.
        for _ in range(4):
            await asyncio.sleep(0.25)
            await socket.send("on")
            assert await socket.recv() == "on"
        await socket.close(4321, "enough")
    print(json.dumps({
        "extensions": extensions,
        "whole": whole,
        "pieces": pieces,
        "closed": [socket.close_code, socket.close_reason],
    }))


asyncio.run(main(sys.argv[1]))
