"""Puts the gateway in front of each application and plays the scenario (README.md).

    runner.py --wastegate PROGRAM --node MODULES --go FOLDER APPLICATION ...
    runner.py --direct ...      without a gateway: the application and its client alone
"""

import argparse
import os
import pathlib
import queue
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import traceback
import urllib.request

HERE = pathlib.Path(__file__).parent
# Managers that one address may hold here.
LIMIT = 4
# How long anything may take, and how long a newcomer may.
PATIENCE_S = 30
ENTRY_S = 5


class Failed(Exception):
    """What an application is failed with."""


class Process:
    """A program in a process group of its own, whose lines are read as they come."""

    def __init__(self, name, command, log, **environment):
        self.name = name
        self.log = log
        self.process = subprocess.Popen(
            [str(part) for part in command],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, text=True, bufsize=1,
            start_new_session=True, env={**os.environ, **environment},
        )
        self.lines = queue.Queue()
        threading.Thread(target=self.read, daemon=True).start()

    def read(self):
        for line in self.process.stdout:
            self.lines.put(line.strip())
        self.lines.put(None)

    def line(self, patience=PATIENCE_S):
        """The next line; none at the end."""
        try:
            return self.lines.get(timeout=patience)
        except queue.Empty:
            raise Failed(f"{self.name} said nothing for {patience} s") from None

    def tell(self, line):
        try:
            self.process.stdin.write(f"{line}\n")
            self.process.stdin.flush()
        except BrokenPipeError:
            pass  # What it ended with is in its lines.

    def signal(self, which):
        os.killpg(self.process.pid, which)

    def end(self):
        for which in (signal.SIGCONT, signal.SIGKILL):
            try:
                self.signal(which)
            except ProcessLookupError:
                break
        self.process.wait()
        try:
            self.process.stdin.close()
        except BrokenPipeError:
            pass  # It ended before it was told everything.


class Client(Process):
    """One client process with one connection."""

    def entered(self, patience=PATIENCE_S):
        line = self.line(patience)
        if line != "open":
            raise Failed(f"{self.name}: {line or 'ended'} instead of open")
        return self

    def expect(self, command, *answers):
        self.tell(command)
        line = self.line()
        if line is None or not line.startswith(answers):
            raise Failed(f"{self.name}: {command!r} was answered by {line!r}, not {answers[0]!r}")

    def talk(self, word):
        self.expect(f"text {word}", f"text {word}")


def node(modules, name):
    return ["node", HERE / "node" / name], {"NODE_PATH": str(modules)}


def python(name, *arguments):
    return [sys.executable, HERE / "python" / name, *arguments], {}


def applications(modules, go):
    """Server and client of each."""
    uvicorn = lambda implementation: (
        python("uvicorn_server.py", implementation), python("websockets_client.py"))
    return {
        "ws": (node(modules, "ws_server.js"), node(modules, "ws_client.js")),
        "socket.io": (node(modules, "socketio_server.js"), node(modules, "socketio_client.js")),
        "aiohttp": (python("aiohttp_server.py"), python("aiohttp_client.py")),
        "tornado": (python("tornado_server.py"), python("tornado_client.py")),
        "uvicorn-websockets": uvicorn("websockets"),
        "uvicorn-websockets-sansio": uvicorn("websockets-sansio"),
        "uvicorn-wsproto": uvicorn("wsproto"),
        "channels": (python("channels_server.py"), python("websockets_client.py")),
        "gorilla": (([go / "server"], {}), ([go / "client"], {})),
        "chromium": (python("aiohttp_server.py"), python("chromium_client.py")),
    }


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return listener.getsockname()[1]


def is_ready(admin):
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{admin}/readyz", timeout=2):
            return True
    except OSError:
        return False


class Scene:
    """An application, a gateway in front of it, and its clients. All of them end with it."""

    def __init__(self, options, server, client, log):
        self.options, self.client_command, self.log = options, client, log
        self.processes, self.count = [], 0
        command, environment = server
        backend = self.begin(Process("the application", command, log, **environment))
        line = backend.line() or ""
        if not line.startswith("listening "):
            raise Failed(f"the application did not start: {line!r}")
        self.address = f"127.0.0.1:{line.split()[1]}"
        self.gateway = None
        if not options.direct:
            self.stand_in_front()

    def begin(self, process):
        self.processes.append(process)
        return process

    def stand_in_front(self):
        """`wastegate serve --upstream ws://…` and nothing else, but for ports and the limit."""
        port, admin = free_port(), free_port()
        command = [self.options.wastegate, "serve", "--upstream", f"ws://{self.address}"]
        self.gateway = self.begin(Process(
            "the gateway", command, self.log,
            WASTEGATE_SERVER__LISTEN=f"127.0.0.1:{port}",
            WASTEGATE_ADMIN__LISTEN=f"127.0.0.1:{admin}",
            WASTEGATE_LIMITS__MANAGERS_PER_USER=str(LIMIT),
        ))
        deadline = time.monotonic() + PATIENCE_S
        while not is_ready(admin):
            if self.gateway.process.poll() is not None or time.monotonic() > deadline:
                raise Failed("the gateway did not become ready")
            time.sleep(0.05)
        self.address = f"127.0.0.1:{port}"

    def dial(self):
        self.count += 1
        command, environment = self.client_command
        name = f"client {self.count}"
        return self.begin(Client(name, [*command, self.address], self.log, **environment))

    def end(self):
        for process in reversed(self.processes):
            process.end()


def talk(clients, word):
    for number, client in enumerate(clients):
        client.talk(f"{word}-{number}")


def play(scene):
    """The scenario, in the letters of README.md."""
    # a: both ways, text and binary, and both ends of a connection.
    clients = [scene.dial().entered() for _ in range(LIMIT - 1)]
    talk(clients, "hello")
    for client in clients:
        client.expect("binary 70000", "binary 70000")
    scene.dial().entered().expect("dismiss", "closed 4321")
    scene.dial().entered().expect("leave", "closed 1000", "closed 1006 io client disconnect")
    if scene.gateway is None:
        return
    # d: settings are read again, and nobody hears of it.
    scene.gateway.signal(signal.SIGHUP)
    talk(clients, "after-the-reload")
    clients.append(scene.dial().entered())
    talk(clients, "all")
    # c: one is suspended; a newcomer gets in, and the live ones keep talking.
    stopped = clients.pop(0)
    stopped.signal(signal.SIGSTOP)
    clients.append(scene.dial().entered(ENTRY_S))
    talk(clients, "one-is-stopped")
    # b: one more than may be: it gets in, or hears why not, and all that were live are.
    newcomer = scene.dial()
    line = newcomer.line(ENTRY_S)
    if line == "open":
        clients.append(newcomer)
    elif not (line or "").startswith(("refused", "closed 44")):
        raise Failed(f"one over the limit: {line!r}")
    talk(clients, "over-the-limit")


def run(name, options, server, client):
    with tempfile.TemporaryFile("w+") as log:
        scene = None
        try:
            try:
                scene = Scene(options, server, client, log)
                play(scene)
            finally:
                if scene:
                    scene.end()
            print(f"ok     {name}", flush=True)
            return True
        except (Failed, OSError) as error:
            print(f"failed {name}: {error}", flush=True)
            if not isinstance(error, Failed):
                traceback.print_exc()
            log.seek(0)
            print("".join(f"       | {line}" for line in log.readlines()[-15:]), flush=True)
            return False


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--wastegate")
    parser.add_argument("--direct", action="store_true")
    parser.add_argument("--node", type=pathlib.Path)
    parser.add_argument("--go", type=pathlib.Path)
    parser.add_argument("names", nargs="+")
    options = parser.parse_args()
    known = applications(options.node, options.go)
    results = []
    for name in options.names:
        if name not in known:
            parser.error(f"{name} is none of {', '.join(known)}")
        results.append(run(name, options, *known[name]))
    sys.exit(0 if all(results) else 1)


main()
