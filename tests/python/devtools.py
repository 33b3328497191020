"""A real browser without a window, driven by its own protocol (DevTools) over a WebSocket, so that it needs
nothing but `websockets`."""

import asyncio
import contextlib
import itertools
import json
import pathlib
import subprocess
import tempfile

from websockets.asyncio.client import connect

FLAGS = ["--headless=new", "--no-sandbox", "--disable-gpu", "--no-first-run", "--remote-debugging-port=0"]


class DevTools:
    """The browser's own protocol, one command at a time."""

    def __init__(self, socket):
        self.socket = socket
        self.ids = itertools.count(1)

    async def ask(self, method, session=None, **params):
        number = next(self.ids)
        command = {"id": number, "method": method, "params": params}
        if session:
            command["sessionId"] = session
        await self.socket.send(json.dumps(command))
        while True:
            answer = json.loads(await self.socket.recv())
            if answer.get("id") == number:
                if "error" in answer:
                    raise RuntimeError(f"{method}: {answer['error']}")
                return answer["result"]

    async def open(self, url):
        """A page, once it is there."""
        page = await self.ask("Target.createTarget", url=url)
        attached = await self.ask("Target.attachToTarget", targetId=page["targetId"], flatten=True)
        session = attached["sessionId"]
        await self.until(session, "location.href + document.readyState", f"{url}complete")
        return session

    async def value(self, session, expression):
        answer = await self.ask("Runtime.evaluate", session, expression=expression)
        return answer["result"].get("value")

    async def until(self, session, expression, wanted):
        while (value := await self.value(session, expression)) != wanted:
            await asyncio.sleep(0.02)
        return value


async def endpoint(profile):
    """Where the browser listens, once it has written it down."""
    port = pathlib.Path(profile) / "DevToolsActivePort"
    while not (port.exists() and len(lines := port.read_text().split()) == 2):
        await asyncio.sleep(0.02)
    return f"ws://127.0.0.1:{lines[0]}{lines[1]}"


@contextlib.asynccontextmanager
async def browser(chromium):
    """A browser with a profile of its own, which ends with it."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        process = subprocess.Popen(
            [chromium, *FLAGS, f"--user-data-dir={profile}", "about:blank"],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )
        try:
            async with connect(await endpoint(profile), max_size=None) as socket:
                yield DevTools(socket)
        finally:
            process.kill()
            process.wait()
