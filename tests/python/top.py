"""`wastegate top` in a terminal, on a server whose user is at the limit: what is seen, what keys do, what is left.

usage: top.py PROGRAM
"""

import json
import os
import signal
import socket
import subprocess
import sys

from terminals import Terminal
from websockets.sync.client import connect

PROGRAM = sys.argv[1]
LIMIT = 3


def free_port():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return taken.getsockname()[1]


def serve(port, admin):
    settings = {
        "WASTEGATE_LIMITS__MANAGERS_PER_USER": str(LIMIT),
        "WASTEGATE_LIMITS__TEMPORARY_SLOTS__COUNT": "0",
    }
    arguments = [PROGRAM, "serve", "--json", "--listen", f"127.0.0.1:{port}", "--admin", f"127.0.0.1:{admin}"]
    server = subprocess.Popen(arguments, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env={**os.environ, **settings})
    json.loads(server.stdout.readline())
    return server


def check(is_so, what):
    if not is_so:
        raise SystemExit(what)


port, admin = free_port(), free_port()
server = serve(port, admin)
top = None
try:
    url = f"ws://127.0.0.1:{port}/ws?user=ann&device=laptop&key="
    clients = [connect(url + f"chat-{number}") for number in range(LIMIT)]
    clients.append(connect(f"ws://127.0.0.1:{port}/ws?user=bob&device=laptop&key=tab"))
    address = ["--admin", f"127.0.0.1:{admin}"]

    top = Terminal([PROGRAM, "top", *address, "--every", "500ms"])
    top.shows("WELL", "users 2", "ann", "emergency", "bob", "connections 4 of", "1 emergency", "USERS by pressure: 2")
    # The cursor is hidden once the first frame is drawn.
    modes = top.screen.modes
    top.until("another screen, without a cursor", lambda _: modes.get(1049) and not modes.get(25, True))
    check(top.screen.colours, "in colour")
    clients.append(connect(url + "one-more"))
    top.shows("Z  ann ", "evict")
    top.press("e")
    top.shows("USERS by evictions: 2")
    top.press("\r")
    top.shows("ann: holds 3 of 3", "STANDING", "one-more", "Esc back")
    top.press("\x1b")
    top.shows("USERS by evictions: 2")
    top.press("/bo")
    top.shows("filter: bo_", "USERS by evictions: 1")
    top.press("\r\x1b")
    top.shows("USERS by evictions: 2")

    top.size(50, 14)
    top.until("a smaller screen", lambda screen: screen.split("\n")[13].startswith("q quit") and "ann" in screen)
    top.size(100, 30)
    top.until("the larger one", lambda screen: screen.split("\n")[29].startswith("q quit") and "EVICTED" in screen)

    server.kill()
    server.wait()
    top.shows("DISCONNECTED since ", "cannot reach", "ann")
    server = serve(port, admin)
    top.shows("WELL", "users 0", "USERS by evictions: 0")
    check("DISCONNECTED" not in top.screen.text(), "it is back")
    top.press("q")
    check(top.ended() == 0, "it ends well")
    check(top.is_as_before(), "the terminal is as it was")
    top.close()

    for end in (lambda: top.press("\x03"), lambda: top.program.send_signal(signal.SIGTERM)):
        top = Terminal([PROGRAM, "top", *address], environment={"NO_COLOR": "1"})
        top.shows("WELL", "USERS by pressure: 0")
        end()
        check(top.ended() == 0 and top.is_as_before(), "the terminal is as it was")
        check(not top.screen.colours, f"no colours where none are wanted: {top.screen.colours}")
        top.close()

    piped = subprocess.run([PROGRAM, "top", *address], capture_output=True, text=True)
    check(piped.returncode == 64 and "wastegate status --json" in piped.stderr, f"{piped}")
    once = subprocess.run([PROGRAM, "top", "--once", *address], capture_output=True, text=True)
    check(once.returncode == 0 and "USERS by pressure: 0" in once.stdout and "\x1b" not in once.stdout, f"{once}")
    check(len(once.stdout.split("\n")) == 25, f"{once.stdout}")
    server.kill()
    server.wait()
    away = subprocess.run([PROGRAM, "top", "--once", *address], capture_output=True, text=True)
    check(away.returncode == 69 and "cannot reach" in away.stderr, f"{away}")
finally:
    server.kill()
    if top and top.program.poll() is None:
        top.close()
print("all as it should be")
