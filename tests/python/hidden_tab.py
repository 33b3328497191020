"""A real browser at the limit: its page is hidden, or also frozen, and is evicted.

    hidden_tab.py CHROMIUM WS-URL ADMIN-URL hidden|frozen

Prints one JSON object: how the page was shown when it was evicted, what the gateway made of it while no
script of the page ran, and what the page hears of it afterwards.
Speaks the DevTools protocol over a WebSocket, so it needs nothing but `websockets`.
"""

import asyncio
import itertools
import json
import pathlib
import subprocess
import sys
import tempfile
import time
import urllib.request

from websockets.asyncio.client import connect

PATIENCE_S = 50
SCRIPT = """
const socket = new WebSocket(%s);
window.state = "connecting";
socket.onopen = () => { window.state = "open"; };
socket.onclose = event => { window.state = "closed " + event.code; };
"""


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


def labelled(admin):
    """Hits and tries of live kills, once the gateway knows how its victim ended."""
    while True:
        with urllib.request.urlopen(f"{admin}/v1/quality") as answer:
            policies = json.load(answer)["since_start"]["policies"]
        for policy in policies:
            if policy["live_kills"]["of"]:
                return [policy["live_kills"]["hits"], policy["live_kills"]["of"]]
        time.sleep(0.02)


async def story(profile, url, admin, lifecycle):
    async with connect(await endpoint(profile), max_size=None) as socket:
        tools = DevTools(socket)
        # Any page of this machine: one of nowhere may not reach it.
        page = await tools.ask("Target.createTarget", url=f"{admin}/healthz")
        attached = await tools.ask("Target.attachToTarget", targetId=page["targetId"], flatten=True)
        session = attached["sessionId"]
        await tools.until(session, "location.pathname + document.readyState", "/healthzcomplete")
        await tools.value(session, SCRIPT % json.dumps(f"{url}?user=ann&key=tab"))
        await tools.until(session, "window.state", "open")
        # Another tab in front of it: the first one is hidden.
        await tools.ask("Target.createTarget", url="about:blank")
        hidden = await tools.until(session, "document.visibilityState", "hidden")
        if lifecycle == "frozen":
            # No script of the page runs from here on: what answers is the browser's network stack.
            await tools.ask("Page.setWebLifecycleState", session, state="frozen")
        async with connect(f"{url}?user=ann&key=new") as new:
            await new.send("in")
            await new.recv()
            label = await asyncio.to_thread(labelled, admin)
            # Only now scripts of a frozen page run again, and hear of it.
            await tools.ask("Page.setWebLifecycleState", session, state="active")
            await tools.until(session, "window.state.startsWith('closed')", True)
            page = await tools.value(session, "window.state")
        print(json.dumps({"was": hidden, "live_kills": label, "page": page}))


async def main(chromium, url, admin, lifecycle):
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        flags = ["--headless=new", "--no-sandbox", "--disable-gpu", "--no-first-run", "--remote-debugging-port=0"]
        browser = subprocess.Popen(
            [chromium, *flags, f"--user-data-dir={profile}", "about:blank"],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )
        try:
            await asyncio.wait_for(story(profile, url, admin, lifecycle), PATIENCE_S)
        finally:
            browser.kill()
            browser.wait()


asyncio.run(main(*sys.argv[1:]))
