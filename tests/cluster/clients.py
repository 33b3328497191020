"""Clients that write the record: steady ones, newcomers, silent ones, and ones that leave."""

import asyncio
import base64
import contextlib
import random
import time

from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from history import Life

TRY = 10


class Crowd:
    def __init__(self, bench, history, seed, talk):
        self.talk = talk
        self.bench, self.history, self.random = bench, history, random.Random(seed)
        self.ended, self.quiet = asyncio.Event(), asyncio.Event()
        self.tasks, self.number = [], 0

    def begin(self):
        """Users below, at and above the limit; one of newcomers alone; one with silent ones."""
        for user, count in (("below", 3), ("at", 5), ("above", 7)):
            for number in range(count):
                self.spawn(self.steady(user, f"{user}-{number}", number % 3))
        self.spawn(self.newcomers("fresh", 0.4))
        self.spawn(self.newcomers("at", 2.0))
        self.spawn(self.newcomers("mixed", 1.0))
        for number in range(2):
            self.spawn(self.silence("mixed", number))

    def spawn(self, client):
        self.tasks.append(asyncio.create_task(client))

    def life(self, user, key, node, silent=False):
        life = Life(user, key, node, time.monotonic(), silent)
        self.history.lives.append(life)
        return life

    async def pause(self, event, seconds):
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(event.wait(), seconds)

    async def steady(self, user, key, node):
        """Always there: comes again after 2 s, elsewhere."""
        while not self.quiet.is_set():
            await self.answers(self.life(user, key, node), None)
            node = self.random.randrange(3)
            await self.pause(self.quiet, 2)

    async def newcomers(self, user, every):
        """New keys all the time; most leave by themselves."""
        while not self.quiet.is_set():
            self.number += 1
            life = self.life(user, f"new-{self.number}", self.random.randrange(3))
            self.spawn(self.answers(life, self.random.uniform(1, 6)))
            await self.pause(self.quiet, every * self.random.uniform(0.5, 1.5))

    async def answers(self, life, stay):
        """One connection of a client that answers all pings, until it is closed or has stayed for so long."""
        socket = None
        try:
            async with asyncio.timeout(TRY):
                socket = await connect(
                    f"ws://127.0.0.1:{self.bench.ports[life.node]}/?user={life.user}&key={life.key}",
                    sock=await self.bench.dial(life.node), ping_interval=None, compression=None, open_timeout=None,
                    close_timeout=3,
                )
            life.admitted = time.monotonic()
        except InvalidStatus as error:
            body = bytes(error.response.body or b"").decode(errors="replace")
            life.refused, life.answer = time.monotonic(), f"{error.response.status_code} {body[:120]}"
            return
        except (OSError, EOFError, TimeoutError) as error:
            life.failed, life.answer = time.monotonic(), repr(error)
            return
        except Exception as error:  # what a handshake that ends half-way is to this library
            life.failed, life.answer = time.monotonic(), repr(error)
            return
        try:
            leave = time.monotonic() + stay if stay else None
            while not self.ended.is_set() and (leave is None or time.monotonic() < leave):
                if self.talk:
                    await socket.send("here")
                rest = 1 if leave is None else max(0.01, min(1, leave - time.monotonic()))
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(rest):
                        while True:
                            await socket.recv()
            life.left, life.ended = True, time.monotonic()
        except ConnectionClosed as closed:
            life.ended = time.monotonic()
            life.code = closed.rcvd.code if closed.rcvd else 1006
        finally:
            with contextlib.suppress(Exception):
                await socket.close()

    async def silence(self, user, number):
        """A silent client, and when it is closed another one."""
        turn = 0
        while not self.quiet.is_set():
            turn += 1
            life = self.life(user, f"silent-{number}-{turn}", self.random.randrange(3), silent=True)
            await self.says_nothing(life)
            await self.pause(self.quiet, 3)

    async def says_nothing(self, life):
        """Connected, and answers no ping. It takes note of a Close, so that its end has a time."""
        writer = None
        try:
            async with asyncio.timeout(TRY):
                reader, writer = await asyncio.open_connection(sock=await self.bench.dial(life.node))
                key = base64.b64encode(self.random.randbytes(16)).decode()
                writer.write(
                    f"GET /?user={life.user}&key={life.key} HTTP/1.1\r\nhost: 127.0.0.1\r\nupgrade: websocket\r\n"
                    f"connection: upgrade\r\nsec-websocket-key: {key}\r\nsec-websocket-version: 13\r\n\r\n".encode()
                )
                head = await reader.readuntil(b"\r\n\r\n")
            if b" 101 " not in head[:20]:
                life.refused, life.answer = time.monotonic(), head.decode(errors="replace")[:80]
                return
            life.admitted = time.monotonic()
            life.code = await self.listen(reader)
        except (OSError, EOFError, TimeoutError) as error:
            if life.admitted is None:
                life.failed, life.answer = time.monotonic(), repr(error)
        finally:
            if life.admitted is not None:
                life.ended, life.left = time.monotonic(), self.ended.is_set()
                life.code = life.code or 1006
            if writer:
                writer.transport.abort()

    async def listen(self, reader):
        """The code of the Close that comes, None where the story is over."""
        over = asyncio.create_task(self.ended.wait())
        try:
            while True:
                frame = asyncio.create_task(self.frame(reader))
                await asyncio.wait({frame, over}, return_when=asyncio.FIRST_COMPLETED)
                if not frame.done():
                    frame.cancel()
                    return None
                kind, body = frame.result()
                if kind == 8:
                    return int.from_bytes(body[:2], "big")
        finally:
            over.cancel()

    @staticmethod
    async def frame(reader):
        first, size = await reader.readexactly(2)
        return first & 15, await reader.readexactly(size & 127)

    def held(self, user=None):
        """Sockets that are open, as their clients see it."""
        return sum(
            life.admitted is not None and life.ended is None and user in (None, life.user)
            for life in self.history.lives
        )

    async def end(self):
        self.quiet.set()
        self.ended.set()
        await asyncio.wait(self.tasks, timeout=15)
        for task in self.tasks:
            task.cancel()
        done = await asyncio.gather(*self.tasks, return_exceptions=True)
        for error in done:
            if isinstance(error, Exception):
                raise error
