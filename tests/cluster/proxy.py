"""The engine's address for nodes: proxy.py PORT FILE. The file has `PORT DELAY_MS`: where connections go, and how much
later an answer comes. When the port changes, all connections end, as they do when an address moves."""

import asyncio
import contextlib
import pathlib
import sys


class Proxy:
    def __init__(self, way):
        self.way, self.open = pathlib.Path(way), set()
        self.read()

    def read(self):
        port, delay = self.way.read_text().split()
        self.port, self.delay = int(port), int(delay) / 1000

    async def follow(self):
        while True:
            before = self.port
            self.read()
            if self.port != before:
                for writer in list(self.open):
                    writer.transport.abort()
            await asyncio.sleep(0.02)

    async def pass_on(self, reader, writer, slow):
        """In order, each piece when its time has come, and not one after the other."""
        loop, pieces = asyncio.get_running_loop(), asyncio.Queue(65536)

        async def put():
            while piece := await pieces.get():
                at, data = piece
                await asyncio.sleep(max(0, at - loop.time()))
                writer.write(data)
                await writer.drain()
            writer.close()

        task = asyncio.create_task(put())
        with contextlib.suppress(OSError):
            while data := await reader.read(65536):
                await pieces.put((loop.time() + (self.delay if slow else 0), data))
        await pieces.put(None)
        with contextlib.suppress(OSError):
            await task

    async def client(self, reader, writer):
        try:
            back, out = await asyncio.open_connection("127.0.0.1", self.port)
        except OSError:
            writer.transport.abort()
            return
        self.open |= {writer, out}
        await asyncio.gather(self.pass_on(reader, out, False), self.pass_on(back, writer, True))
        self.open -= {writer, out}


async def main(port, way):
    proxy = Proxy(way)
    async with await asyncio.start_server(proxy.client, "127.0.0.1", int(port)):
        await proxy.follow()


asyncio.run(main(*sys.argv[1:]))
