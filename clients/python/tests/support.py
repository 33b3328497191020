"""The real server as a process, a TCP proxy before it, and a client whose events are recorded."""

import asyncio
import contextlib
import faulthandler
import json
import os
import signal
import time
import urllib.error
import urllib.request

from wastegate_client import Limits, connect

PATIENCE_S = 30
"""How long anything may take that a test waits for."""
SUITE_S_MAX = 300
"""How long the whole suite may take: a test that waits for ever ends it, with the place where it waits."""
faulthandler.dump_traceback_later(SUITE_S_MAX, exit=True)
PROGRAM = os.environ["WASTEGATE"]
QUICK = {"backoff_s": 0.05, "backoff_s_max": 0.4}
"""Short pauses, so that tests do not wait for long."""


async def until(what, ask):
    """Asks again and again until the answer is one, for what sends no event."""
    deadline = time.monotonic() + PATIENCE_S
    while not (answer := await ask()):
        if time.monotonic() > deadline:
            raise TimeoutError(f"waited {PATIENCE_S} s for {what}")
        await asyncio.sleep(0.02)
    return answer


def request(method, url, body=None):
    data = None if body is None else json.dumps(body).encode()
    asked = urllib.request.Request(url, data, {"content-type": "application/json"}, method=method)
    with urllib.request.urlopen(asked, timeout=PATIENCE_S) as answer:
        return answer.read()


class Gateway:
    """A server with these settings."""

    def __init__(self, process, addresses):
        self.process = process
        self.url, self.address, self.admin = addresses["url"], addresses["listen"], addresses["admin"]

    async def ask(self, method, path, body=None):
        return await asyncio.to_thread(request, method, f"http://{self.admin}{path}", body)

    async def managers(self):
        return json.loads(await self.ask("GET", "/v1/users/ann"))["managers"]

    async def created(self):
        """How many managers there have been."""
        return json.loads(await self.ask("GET", "/v1/stats"))["created"]

    async def evictions(self):
        metrics = (await self.ask("GET", "/metrics")).decode()
        lines = [line for line in metrics.splitlines() if line.startswith("wastegate_cleanup_evictions_total{")]
        return sum(int(line.rsplit(" ", 1)[1]) for line in lines)

    async def stop(self):
        """Asks it to stop, as an operator does, and waits until it has."""
        self.process.send_signal(signal.SIGTERM)
        await asyncio.wait_for(self.process.wait(), PATIENCE_S)


@contextlib.asynccontextmanager
async def gateway(settings=(), listen="127.0.0.1:0", env=()):
    options = [word for key, value in dict(settings).items() for word in ("--set", f"{key}={value}")]
    process = await asyncio.create_subprocess_exec(
        PROGRAM, "serve", "--listen", listen, "--admin", "127.0.0.1:0", "--json", *options,
        stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL,
        env={**os.environ, **dict(env)},
    )
    try:
        line = await asyncio.wait_for(process.stdout.readline(), PATIENCE_S)
        yield Gateway(process, json.loads(line))
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


class Proxy:
    """A proxy of TCP connections. `url` is the server's, through the proxy. With `head_first` the client gets the
    head of the first connection's response, and the rest at `resume`."""

    def __init__(self, gateway, head_first):
        self.head_first = head_first
        self.host, port = gateway.address.split(":")
        self.port = int(port)
        self.pairs = []
        self.made = []
        """When each connection was made."""

    async def carry(self, near_reader, near_writer):
        self.made.append(time.monotonic())
        far_reader, far_writer = await asyncio.open_connection(self.host, self.port)
        there, back = asyncio.Event(), asyncio.Event()
        there.set()
        back.set()
        self.pairs.append((there, back, near_writer, far_writer))
        is_held = self.head_first and len(self.made) == 1

        async def pump(reader, writer, passing):
            with contextlib.suppress(OSError):
                while data := await reader.read(65536):
                    await passing.wait()
                    writer.write(data)
                    await writer.drain()
            writer.close()

        async def answer():
            if is_held:
                near_writer.write(await far_reader.readuntil(b"\r\n\r\n"))
                back.clear()
            await pump(far_reader, near_writer, back)

        await asyncio.gather(pump(near_reader, far_writer, there), answer())

    def cut(self):
        """Ends what is there, without a Close."""
        for there, back, *writers in self.pairs:
            there.set()
            back.set()
            for writer in writers:
                writer.transport.abort()
        self.pairs.clear()

    def silence(self):
        """Nothing passes any more on what is there; both sides stay connected."""
        for there, back, *_ in self.pairs:
            there.clear()
            back.clear()

    def deafen(self):
        """The client receives nothing any more on what is there; the server receives everything."""
        for _, back, *_ in self.pairs:
            back.clear()

    def resume(self):
        for there, back, *_ in self.pairs:
            there.set()
            back.set()


@contextlib.asynccontextmanager
async def proxy(gateway, head_first=False):
    carrier = Proxy(gateway, head_first)
    listener = await asyncio.start_server(carrier.carry, "127.0.0.1", 0)
    port = listener.sockets[0].getsockname()[1]
    carrier.url = gateway.url.replace(f":{carrier.port}", f":{port}")
    try:
        yield carrier
    finally:
        listener.close()
        carrier.cut()


class Recorder:
    """Events of a client; `next` waits for one that was not taken yet."""

    def __init__(self):
        self.log = []
        self.taken = set()
        self.news = asyncio.Event()

    def __call__(self, event):
        self.log.append(event)
        self.news.set()

    def names(self):
        return [type(event).__name__ for event in self.log]

    async def next(self, kind):
        async def found():
            while True:
                for number, event in enumerate(self.log):
                    if isinstance(event, kind) and number not in self.taken:
                        self.taken.add(number)
                        return event
                self.news.clear()
                await self.news.wait()

        try:
            return await asyncio.wait_for(found(), PATIENCE_S)
        except TimeoutError:
            raise TimeoutError(f"waited {PATIENCE_S} s for {kind.__name__}; events so far: {self.log}") from None


def client(url, events=None, limits=(), **options):
    """Connects as the user ann, with short pauses."""
    if "token" not in options:
        url += "?user=ann"
    return connect(url, on_event=events, limits=Limits(**{**QUICK, **dict(limits)}), **options)


async def opened(connecting):
    """The connection, once it is open."""
    async with asyncio.timeout(PATIENCE_S):
        return await connecting


async def talk(connection, text):
    """Sends a text and waits until the built-in application has echoed it."""
    await connection.send(text)
    async with asyncio.timeout(PATIENCE_S):
        while await connection.recv() != text:
            pass


async def end_of(connection):
    """The exception with which it ends."""
    try:
        async with asyncio.timeout(PATIENCE_S):
            while True:
                await connection.recv()
    except TimeoutError:
        raise
    except Exception as error:
        return error
