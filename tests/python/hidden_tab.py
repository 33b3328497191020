"""A real browser at the limit: its page is hidden, or also frozen, and is evicted.

    hidden_tab.py CHROMIUM WS-URL ADMIN-URL hidden|frozen

Prints one JSON object: how the page was shown when it was evicted, what the gateway made of it while no
script of the page ran, and what the page hears of it afterwards.
"""

import asyncio
import json
import sys
import time
import urllib.request

from devtools import browser
from websockets.asyncio.client import connect

PATIENCE_S = 50
SCRIPT = """
const socket = new WebSocket(%s);
window.state = "connecting";
socket.onopen = () => { window.state = "open"; };
socket.onclose = event => { window.state = "closed " + event.code; };
"""


def labelled(admin):
    """Hits and tries of live kills, once the gateway knows how its victim ended."""
    while True:
        with urllib.request.urlopen(f"{admin}/v1/quality") as answer:
            policies = json.load(answer)["since_start"]["policies"]
        for policy in policies:
            if policy["live_kills"]["of"]:
                return [policy["live_kills"]["hits"], policy["live_kills"]["of"]]
        time.sleep(0.02)


async def story(chromium, url, admin, lifecycle):
    async with browser(chromium) as tools:
        # Any page of this machine: one of nowhere may not reach it.
        session = await tools.open(f"{admin}/healthz")
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


async def main(*arguments):
    await asyncio.wait_for(story(*arguments), PATIENCE_S)


asyncio.run(main(*sys.argv[1:]))
