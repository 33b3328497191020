"""Starlette on uvicorn, with the WebSocket implementation that is named. Prints where it listens.

    uvicorn_server.py websockets|websockets-sansio|wsproto
"""

import socket
import sys

import uvicorn
from starlette.applications import Starlette
from starlette.routing import WebSocketRoute


async def echo(websocket):
    await websocket.accept()
    while True:
        message = await websocket.receive()
        if message["type"] == "websocket.disconnect":
            return
        if (text := message.get("text")) is None:
            await websocket.send_bytes(message["bytes"])
        elif text == "dismiss":
            await websocket.close(4321, "dismissed")
            return
        else:
            await websocket.send_text(text)


application = Starlette(routes=[WebSocketRoute("/chat/echo", echo)])
listener = socket.create_server(("127.0.0.1", 0))
print(f"listening {listener.getsockname()[1]}", flush=True)
config = uvicorn.Config(application, ws=sys.argv[1], log_level="warning")
uvicorn.Server(config).run(sockets=[listener])
