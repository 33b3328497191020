"""aiohttp, with a page beside its socket. Prints where it listens."""

import asyncio
import pathlib

from aiohttp import WSMsgType, web

PAGE = pathlib.Path(__file__).parent.parent / "page.html"


async def echo(request):
    socket = web.WebSocketResponse()
    await socket.prepare(request)
    async for message in socket:
        if message.type is WSMsgType.BINARY:
            await socket.send_bytes(message.data)
        elif message.data == "dismiss":
            await socket.close(code=4321, message=b"dismissed")
        else:
            await socket.send_str(message.data)
    return socket


async def page(request):
    return web.FileResponse(PAGE)


async def main():
    application = web.Application()
    application.add_routes([web.get("/chat/echo", echo), web.get("/", page)])
    runner = web.AppRunner(application)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    print(f"listening {runner.addresses[0][1]}", flush=True)
    await asyncio.Event().wait()


asyncio.run(main())
