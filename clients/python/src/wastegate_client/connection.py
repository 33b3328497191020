"""A connection that comes back. One task connects, reads, pauses and connects again; `recv` and `send` are how
the rest of the program talks to it."""

import asyncio
import contextlib
import inspect
import secrets
import time
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from websockets.asyncio.client import ClientConnection
from websockets.asyncio.client import connect as dial
from websockets.exceptions import (
    ConnectionClosed,
    ConnectionClosedOK,
    InvalidMessage,
    InvalidStatus,
)
from websockets.frames import Close

from . import verdict
from .errors import BufferFull, Closed, NotConnected
from .events import Event, Lost, Opened, Queued
from .options import Limits, Names, VisibilityHints
from .verdict import REFUSED, SUBPROTOCOL, Refusal, read_notice, read_refusal

Data = str | bytes | bytearray | memoryview
TokenProvider = Callable[[], str | Awaitable[str]]

_DEVICE = secrets.token_hex(12)
"""The name of this process, for connections that are given no other."""
_NOTICE_DOUBLINGS_MAX = 5
"""How often the watch for the notice `queued` is doubled after failures."""
# What may be better at the next attempt; anything else would fail for ever.
_PASSING = (OSError, TimeoutError, EOFError, InvalidMessage)


@dataclass(frozen=True)
class _Ending:
    """How a connection, or an attempt, ended."""

    code: int
    reason: str
    refusal: Refusal | None = None
    error: Exception | None = None
    was_queued: bool = False
    lasted_s: float = 0.0


class Connection:
    """Use it as a connection of `websockets`. Made by `connect`."""

    def __init__(
        self,
        uri: str,
        *,
        key: str | None = None,
        device: str | None = None,
        token: TokenProvider | None = None,
        token_in: Literal["header", "subprotocol", "query"] = "header",
        notices: bool = False,
        visibility: VisibilityHints | None = None,
        on_event: Callable[[Event], object] | None = None,
        may_return: Callable[[int, str], bool | None] | None = None,
        subprotocols: Sequence[str] = (),
        limits: Limits = Limits(),
        names: Names = Names(),
        **options: Any,
    ):
        given = dict(parse_qsl(urlsplit(uri).query))
        self.uri = uri
        self.key: str = key or given.get(names.key_param) or secrets.token_hex(12)
        """The manager's name."""
        self.device: str = device or given.get(names.device_param) or _DEVICE
        """The client's name."""
        self._token = token
        self._token_in = token_in
        self._offered = [*([SUBPROTOCOL] if notices else []), *subprotocols]
        self._visibility = visibility
        self._on_event = on_event
        self._own_rule = may_return
        self._limits = limits
        self._names = names
        self._options = options

        self._socket: ClientConnection | None = None
        self._closing: Close | None = None
        self._end: ConnectionClosed | Exception | None = None
        self._messages: deque[str | bytes] = deque()
        self._buffer: deque[Data] = deque()
        self._was_unauthorized = False
        self._is_silent = False
        self._visible: bool | None = None
        self._answers_due = 0
        self._received_at = 0.0
        # Each wakes what waits, which then looks at the state again.
        self._news = asyncio.Event()
        self._room = asyncio.Event()
        self._try_now = asyncio.Event()
        self._task = asyncio.create_task(self._run(), name=f"wastegate client {self.key}")

    # What the program uses.

    @property
    def is_open(self) -> bool:
        """Whether there is a connection at the moment."""
        return self._socket is not None

    @property
    def subprotocol(self) -> str | None:
        """The subprotocol of this connection."""
        return self._socket.subprotocol if self._socket else None

    @property
    def is_closed(self) -> bool:
        """Whether the client has ended, and does not connect again by itself."""
        return self._end is not None

    async def wait_open(self) -> None:
        """Waits for a connection. Raises as `recv` if the client ends before."""
        while not self._socket:
            await self._look()

    async def recv(self) -> str | bytes:
        """The next message. Waits across connections. Raises `Closed`, or `ConnectionClosedOK` at a normal end."""
        while not self._messages:
            await self._look()
        self._room.set()
        return self._messages.popleft()

    def __aiter__(self) -> "Connection":
        return self

    async def __anext__(self) -> str | bytes:
        try:
            return await self.recv()
        except ConnectionClosedOK:
            raise StopAsyncIteration from None

    async def send(self, message: Data) -> None:
        """Sends a message. Without a connection it is kept if there is room for it (`Limits.buffer_messages_max`);
        otherwise this raises `NotConnected` or `BufferFull`."""
        if self._socket:
            with contextlib.suppress(ConnectionClosed):  # then the message was not sent, as without a connection
                await self._socket.send(message)
                return
        if self._end:
            raise self._end
        if not self._limits.buffer_messages_max:
            raise NotConnected("there is no connection at the moment")
        size = sum(map(len, self._buffer)) + len(message)
        if len(self._buffer) >= self._limits.buffer_messages_max or size > self._limits.buffer_bytes_max:
            raise BufferFull("the buffer of messages is full")
        self._buffer.append(message)

    @property
    def unsent(self) -> int:
        """Messages that wait in the buffer, or were never sent."""
        return len(self._buffer)

    async def close(self, code: int = 1000, reason: str = "") -> None:
        """Closes for good. The gateway ends the manager at once if this is its last connection."""
        if self._end is None:
            self._closing = Close(code, reason)
            self._room.set()
            if self._socket:
                await self._socket.close(code, reason)
            self._task.cancel()
        await asyncio.wait([self._task])

    def reconnect(self) -> None:
        """Ends a pause: the next attempt is made at once."""
        self._try_now.set()

    async def set_visible(self, visible: bool) -> None:
        """Tells the application whether the user sees the client, with the option `visibility`."""
        if visible != self._visible:
            self._visible = visible
            if self._socket:
                await self._hint(self._socket)

    async def _look(self) -> None:
        """Waits for news, unless the client has ended."""
        if self._end:
            raise self._end
        self._news.clear()
        await self._news.wait()

    # What the task does.

    async def _run(self) -> None:
        failures = 0
        ending = _Ending(1000, "closed")
        try:
            while True:
                ending = await self._live(failures)
                if ending.lasted_s >= self._limits.stable_s:
                    failures = 0
                if self._closing or not self._returns(ending) or failures >= self._limits.attempts_max:
                    break
                floor = self._floor(ending)
                wait = verdict.pause(failures, floor, self._limits)
                failures += 1
                self._try_now.clear()
                self._report(Lost(ending.code, ending.reason, wait, ending.refusal, ending.error))
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(wait):
                        await self._try_now.wait()
        except asyncio.CancelledError:
            # By `close`, or because the program's loop ends.
            if not self._closing:
                self._finish(_Ending(1006, "cancelled"))
                raise
        except Exception as error:  # a mistake in what was given, such as the URI: `recv` raises it
            self._end = error
            self._news.set()
            return
        self._finish(ending)

    def _finish(self, ending: _Ending) -> None:
        if self._closing:
            self._end = ConnectionClosedOK(None, self._closing)
        elif ending.code in (1000, 1005):  # 1005 is a Close without a code
            self._end = ConnectionClosedOK(Close(ending.code, ending.reason), None)
        else:
            self._end = Closed(ending.code, ending.reason, ending.refusal)
            self._end.__cause__ = ending.error
        self._news.set()

    def _report(self, event: Event) -> None:
        if not self._on_event:
            return
        try:
            self._on_event(event)
        except Exception as error:
            # The connection goes on, and the loop reports the mistake.
            context = {"message": f"on_event failed for {event}", "exception": error}
            asyncio.get_running_loop().call_exception_handler(context)

    async def _live(self, failures: int) -> _Ending:
        """One attempt and, if it comes to one, one connection until it ends."""
        limits = self._limits
        try:
            async with asyncio.timeout(limits.token_s_max):
                token = await self._fresh_token()
        except Exception as error:
            return _Ending(1006, "there is no token", error=error)
        uri, settings = self._request(token)
        try:
            socket = await dial(uri, open_timeout=limits.connect_s_max, **settings)
        except InvalidStatus as error:
            response = error.response
            retry_after = response.headers.get("Retry-After")
            refusal = read_refusal(response.status_code, retry_after, bytes(response.body or b""))
            return _Ending(1006, refusal.message or str(error), refusal)
        except _PASSING as error:
            return _Ending(1006, str(error) or type(error).__name__, error=error)
        try:
            return await self._converse(socket, failures)
        finally:
            # Without a Close, which would end the manager. Where both sides have closed, it does nothing.
            socket.transport.abort()

    async def _fresh_token(self) -> str | None:
        if not self._token:
            return None
        token = self._token()
        return await token if inspect.isawaitable(token) else token

    def _request(self, token: str | None) -> tuple[str, dict[str, Any]]:
        """What to ask for this time."""
        parts = urlsplit(self.uri)
        query = parse_qsl(parts.query, keep_blank_values=True)
        given = {name for name, _ in query}
        for name, value in ((self._names.key_param, self.key), (self._names.device_param, self.device)):
            if name and name not in given:
                query.append((name, value))
        # Instead of the keepalive of `websockets`, which would end the manager: it sends a Close.
        settings: dict[str, Any] = {"ping_interval": None, **self._options}
        offered = list(self._offered)
        if token is not None:
            if self._token_in == "query":
                query.append((self._names.token_param, token))
            elif self._token_in == "subprotocol":
                offered.append(self._names.token_prefix + token)
            else:
                headers = dict(settings.get("additional_headers") or {})
                settings["additional_headers"] = {**headers, "Authorization": f"Bearer {token}"}
        if offered:
            settings["subprotocols"] = offered
        return urlunsplit(parts._replace(query=urlencode(query))), settings

    async def _converse(self, socket: ClientConnection, failures: int) -> _Ending:
        """From the upgrade to the end of a connection."""
        was_queued = False
        has_notices = socket.subprotocol == SUBPROTOCOL
        opened_at: float | None = None
        watch: asyncio.Task[None] | None = None
        # The gateway closes a client that sends something while it waits in the queue. It sends `queued` at
        # once and nothing to a client that is admitted at once, so the client waits for what may not come.
        patience = self._limits.notice_s * 2 ** min(failures, _NOTICE_DOUBLINGS_MAX)

        async def open_up() -> None:
            nonlocal opened_at, watch, was_queued
            was_queued = False
            opened_at = self._received_at = time.monotonic()
            self._is_silent = False
            self._answers_due = 0
            await self._hint(socket)
            while self._buffer:
                await socket.send(self._buffer[0])
                self._buffer.popleft()
            self._socket = socket
            watch = asyncio.create_task(self._watch(socket))
            self._report(Opened())
            self._news.set()

        try:
            if not has_notices:
                await open_up()
            while True:
                try:
                    async with asyncio.timeout(None if opened_at is not None else patience):
                        message = await socket.recv()
                except TimeoutError:
                    if was_queued:
                        return _Ending(1006, "waited too long in the queue")
                    await open_up()
                    continue
                self._received_at = time.monotonic()
                notice = read_notice(message) if has_notices else None
                if notice:
                    self._report(notice)
                if isinstance(notice, Queued):
                    was_queued, patience = True, self._limits.queued_s_max
                    if watch:
                        # Back to waiting: the notice came too late to be waited for.
                        watch.cancel()
                        opened_at = watch = self._socket = None
                elif opened_at is None:
                    # Anything but a place in the queue is for a client that is in.
                    await open_up()
                if not notice and not self._is_answer(message):
                    await self._deliver(message)
        except ConnectionClosed as closed:
            silence = f"the server sent nothing for {self._limits.silence_s} s"
            lost = silence if self._is_silent else "lost without a Close"
            received = closed.rcvd or Close(1006, lost)
            lasted = time.monotonic() - opened_at if opened_at is not None else 0.0
            return _Ending(received.code, received.reason, was_queued=was_queued, lasted_s=lasted)
        finally:
            self._socket = None
            if watch:
                watch.cancel()

    async def _deliver(self, message: str | bytes) -> None:
        while len(self._messages) >= self._limits.received_messages_max and not self._closing:
            self._room.clear()
            await self._room.wait()
        if not self._closing:  # then the rest is read only up to the other side's Close
            self._messages.append(message)
            self._news.set()

    def _is_answer(self, message: str | bytes) -> bool:
        """Whether a message answers a hint. Of two equal messages it does not matter which is taken."""
        if self._answers_due and self._visibility and message == self._visibility.answer:
            self._answers_due -= 1
            return True
        return False

    async def _hint(self, socket: ClientConnection) -> None:
        hints = self._visibility
        if hints and self._visible is not None:
            if hints.answer is not None:
                self._answers_due += 1
            await socket.send(hints.visible if self._visible else hints.hidden)

    async def _watch(self, socket: ClientConnection) -> None:
        """Gives a connection up that is silent, without a Close, which would end its manager."""
        half = self._limits.silence_s / 2
        if not half:
            return
        with contextlib.suppress(ConnectionClosed):  # the reader sees it too, and reports how it ended
            while True:
                quiet_until = self._received_at + half
                if (left := quiet_until - time.monotonic()) > 0:
                    await asyncio.sleep(left)
                    continue
                try:
                    async with asyncio.timeout(half):
                        await (await socket.ping())
                except TimeoutError:
                    # What came meanwhile counts too; and where this side does not read, nothing is known.
                    is_full = len(self._messages) >= self._limits.received_messages_max
                    if not is_full and self._received_at + half <= quiet_until:
                        self._is_silent = True
                        socket.transport.abort()
                        return
                self._received_at = time.monotonic()

    def _returns(self, ending: _Ending) -> bool:
        refusal = ending.refusal
        if refusal:
            if refusal.status == 401:
                # A fresh token may do better, once.
                is_first, self._was_unauthorized = not self._was_unauthorized, True
                return self._token is not None and is_first
            return verdict.may_retry(refusal.status)
        self._was_unauthorized = False
        # It sent something before it knew that it waits; nothing was delivered.
        if ending.was_queued and ending.code == 1008:
            return True
        own = self._own_rule(ending.code, ending.reason) if self._own_rule else None
        return verdict.may_return(ending.code) if own is None else own

    def _floor(self, ending: _Ending) -> float:
        """The least pause that the gateway asks for."""
        if ending.refusal:
            least = ending.refusal.retry_after_s or 0.0
        else:
            least = self._limits.refused_s if ending.code in REFUSED else 0.0
        return min(least, self._limits.retry_after_s_max)


class connect:
    """Connects, and comes back: `async with connect(uri) as connection`, or `connection = await connect(uri)`.

    Both wait for the first connection, however often it takes, and raise `Closed` if the gateway refuses them for good.

    - `key`: the manager's name. Default: made up, and kept as long as the object.
    - `device`: the client's name. Default: one for each process.
    - `token`: gives a token before each attempt; a function, or one that is awaited.
    - `token_in`: `header` (`Authorization: Bearer`), `subprotocol` or `query`.
    - `notices`: offer `wastegate.v1` and get notices. Not in front of a backend, where no notices exist.
    - `visibility`: control lines for `set_visible`.
    - `on_event`: called with each event of `wastegate_client.events`.
    - `may_return`: decides on a close code and reason instead of the rules; None for the rules.
    - `limits`, `names`: see there.
    - everything else goes to `websockets.connect`.
    """

    def __init__(self, uri: str, **options: Any):
        self._uri = uri
        self._options = options
        self._connection: Connection | None = None

    async def _open(self) -> Connection:
        connection = Connection(self._uri, **self._options)
        try:
            await connection.wait_open()
        except asyncio.CancelledError:
            await connection.close()
            raise
        return connection

    def __await__(self):
        return self._open().__await__()

    async def __aenter__(self) -> Connection:
        self._connection = await self._open()
        return self._connection

    async def __aexit__(self, *_: object) -> None:
        if self._connection:
            await self._connection.close()
