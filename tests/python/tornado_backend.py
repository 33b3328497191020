"""A Tornado server with its own origin check: prints its address, echoes at every path."""

import asyncio

import tornado.httpserver
import tornado.netutil
import tornado.web
import tornado.websocket


class Echo(tornado.websocket.WebSocketHandler):
    # `check_origin` is the library's: the page's host has to be the request's `Host`.

    def on_message(self, message):
        self.write_message(message, binary=isinstance(message, bytes))


async def main():
    sockets = tornado.netutil.bind_sockets(0, "127.0.0.1")
    server = tornado.httpserver.HTTPServer(tornado.web.Application([(r"/.*", Echo)]))
    server.add_sockets(sockets)
    print("%s:%d" % sockets[0].getsockname(), flush=True)
    await asyncio.Event().wait()


asyncio.run(main())
