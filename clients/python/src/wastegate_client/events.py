"""What the client reports beside messages, by the callback `on_event`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .verdict import Refusal


@dataclass(frozen=True)
class Opened:
    """A connection is open: for the first time, or again."""


@dataclass(frozen=True)
class Lost:
    """A connection is gone, or an attempt failed, and the client tries again by itself."""

    code: int
    """The close code, or 1006 where there was none."""
    reason: str
    retry_in_s: float
    refusal: Refusal | None = None
    error: Exception | None = None
    """What failed on this side: the token provider, or the network."""


@dataclass(frozen=True)
class Queued:
    """The client waits for a slot, at this place; 1 is next."""

    position: int


@dataclass(frozen=True)
class Admitted:
    """The client that waited has a slot."""


@dataclass(frozen=True)
class Pressure:
    """The user's pressure level changed."""

    level: str
    held: int
    limit: int


@dataclass(frozen=True)
class Evicting:
    """The server is about to close the connection to make room."""

    cause: str


@dataclass(frozen=True)
class UnknownNotice:
    """A notice of a kind that this version does not know."""

    detail: dict[str, Any]


Event = Opened | Lost | Queued | Admitted | Pressure | Evicting | UnknownNotice
