"""A drop-in for `websockets.connect` that obeys the close codes of wastegate.

    async with connect("wss://chat.example/ws", token=fresh_token) as connection:
        async for message in connection:
            await connection.send(message)

The loop goes on across connections: the client comes back when it may. It ends after a close with 1000,
and raises `Closed` when the client has to stay away.
"""

from .connection import Connection, connect
from .errors import BufferFull, Closed, NotConnected
from .events import Admitted, Event, Evicting, Lost, Opened, Pressure, Queued, UnknownNotice
from .options import BUILT_IN_HINTS, Limits, Names, VisibilityHints
from .verdict import SUBPROTOCOL, Refusal

__all__ = [
    "BUILT_IN_HINTS",
    "SUBPROTOCOL",
    "Admitted",
    "BufferFull",
    "Closed",
    "Connection",
    "Event",
    "Evicting",
    "Limits",
    "Lost",
    "Names",
    "NotConnected",
    "Opened",
    "Pressure",
    "Queued",
    "Refusal",
    "UnknownNotice",
    "VisibilityHints",
    "connect",
]
