"""Tornado's own client, with the Origin that a page of the same host sends."""

import asyncio
import sys

from lines import both, heard, obey, say
from tornado.httpclient import HTTPClientError, HTTPRequest
from tornado.websocket import websocket_connect


async def main(address):
    request = HTTPRequest(f"ws://{address}/chat/echo", headers={"Origin": f"http://{address}"})
    try:
        socket = await websocket_connect(request)
    except HTTPClientError as error:
        say(f"refused {error.code}")
        return
    say("open")

    async def read():
        while (message := await socket.read_message()) is not None:
            heard(message)

    async def send_binary(data):
        await socket.write_message(data, binary=True)

    async def leave():
        socket.close(1000)

    await both(read(), obey(socket.write_message, send_binary, leave))
    say(f"closed {socket.close_code}")


asyncio.run(main(sys.argv[1]))
