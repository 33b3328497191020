"""What a close code or a refusal asks of the client, how long it pauses, and what a notice means. Pure;
docs/protocol.md is the contract."""

import email.utils
import json
import random
import time
from dataclasses import dataclass
from typing import Any

from .events import Admitted, Event, Evicting, Pressure, Queued, UnknownNotice
from .options import Limits

SUBPROTOCOL = "wastegate.v1"
"""The subprotocol of clients that want notices."""

AGAIN = {
    1001: "the server goes away",
    1006: "lost without a Close",
    1011: "internal error",
    1012: "the server restarts",
    1013: "the server is overloaded",
    1014: "a proxy's backend failed",
    1015: "TLS failed",
}
"""Codes of RFC 6455 and its registry that mean: connect again, after a pause."""
REFUSED = range(4429, 4437)
"""The close codes of refusals (`gateway.refusal = "close"`)."""


@dataclass(frozen=True)
class Refusal:
    """A response that is no upgrade: the JSON of the gateway, or only status and `Retry-After`."""

    status: int
    error: str | None = None
    """The word that stays: `user-limit`, `displaced`, `blocked` and the others of docs/protocol.md."""
    message: str | None = None
    retry_after_s: float | None = None
    """How long the gateway asks the client to wait."""
    body: Any = None
    """The whole JSON body, if there was one."""


def may_return(code: int) -> bool:
    """Whether a client may connect again by itself after this close code."""
    return code in AGAIN or 4000 <= code <= 4499


def may_retry(status: int) -> bool:
    """Whether a client may try again after this status of a response that is no upgrade."""
    return status in (408, 429) or status >= 500


def pause(attempt: int, floor_s: float, limits: Limits) -> float:
    """The pause before attempt number `attempt` (from 0): at least `floor_s`, then full jitter."""
    # Beyond 2**64 the ceiling has long been reached, and a float ends.
    ceiling = min(limits.backoff_s_max, limits.backoff_s * 2 ** min(attempt, 64))
    return floor_s + random.random() * ceiling


def read_retry_after(value: str | None) -> float | None:
    """Seconds, or a date (RFC 9110, section 10.2.3)."""
    if value is None:
        return None
    try:
        return max(0.0, float(value))
    except ValueError:
        pass
    try:
        return max(0.0, email.utils.parsedate_to_datetime(value).timestamp() - time.time())
    except ValueError:
        return None


def read_refusal(status: int, retry_after: str | None, text: bytes) -> Refusal:
    """Reads a response that is no upgrade."""
    wait = read_retry_after(retry_after)
    try:
        body = json.loads(text)
    except ValueError:
        body = None  # a backend's page; the status is enough
    if not isinstance(body, dict):
        return Refusal(status, retry_after_s=wait, body=body)
    exact = body.get("retry_after_ms")
    if isinstance(exact, (int, float)) and exact >= 0:
        wait = exact / 1000
    error, message = (body.get(name) for name in ("error", "message"))
    return Refusal(
        status,
        error if isinstance(error, str) else None,
        message if isinstance(message, str) else None,
        wait,
        body,
    )


def read_notice(message: str | bytes) -> Event | None:
    """Reads a message as a notice, if it is one."""
    if not isinstance(message, str) or not message.startswith('{"wastegate":"'):
        return None
    try:
        detail = json.loads(message)
    except ValueError:
        return None  # the application's own text
    match detail:
        case {"wastegate": "queued", "position": int(position)}:
            return Queued(position)
        case {"wastegate": "admitted"}:
            return Admitted()
        case {"wastegate": "pressure", "level": str(level), "held": int(held), "limit": int(limit)}:
            return Pressure(level, held, limit)
        case {"wastegate": "evicting", "cause": str(cause)}:
            return Evicting(cause)
    return UnknownNotice(detail)
