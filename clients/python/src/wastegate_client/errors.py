"""What `recv` and `send` raise."""

from websockets.exceptions import ConnectionClosedError, WebSocketException
from websockets.frames import Close

from .verdict import Refusal


class Closed(ConnectionClosedError):
    """The client does not connect again by itself. A `ConnectionClosed` of `websockets`, with the reason why."""

    def __init__(self, code: int, reason: str, refusal: Refusal | None = None):
        super().__init__(Close(code, reason) if code != 1006 else None, None)
        self._code = code
        self._reason = reason
        self.refusal = refusal
        """The refusal, if the last attempt was refused over HTTP."""

    @property
    def code(self) -> int:
        """The close code; 1006 if the server sent none."""
        return self._code

    @property
    def reason(self) -> str:
        """The reason in words."""
        return self._reason

    def __str__(self) -> str:
        return f"{self._code}: {self._reason}"


class NotConnected(WebSocketException):
    """There is no connection at the moment, and the message is not kept (`Limits.buffer_messages_max` is 0)."""


class BufferFull(NotConnected):
    """There is no connection at the moment, and the buffer has no room for the message."""
