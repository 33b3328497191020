"""Tornado with the origin check that it has by itself. Prints where it listens."""

import asyncio

from tornado import httpserver, netutil, web, websocket


class Echo(websocket.WebSocketHandler):
    def on_message(self, message):
        if message == "dismiss":
            self.close(4321, "dismissed")
        else:
            self.write_message(message, binary=isinstance(message, bytes))


async def main():
    server = httpserver.HTTPServer(web.Application([("/chat/echo", Echo)]))
    sockets = netutil.bind_sockets(0, "127.0.0.1")
    server.add_sockets(sockets)
    print(f"listening {sockets[0].getsockname()[1]}", flush=True)
    await asyncio.Event().wait()


asyncio.run(main())
