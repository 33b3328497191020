"""What can be set, with its defaults. Every wait, queue and count that the client has is one of these."""

import math
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Limits:
    """Limits and times. A name that ends in `_s` is in seconds."""

    backoff_s: float = 1.0
    """The ceiling of the first pause. Each further one is twice as high, and a pause is a random share of it."""
    backoff_s_max: float = 30.0
    """The highest ceiling of a pause."""
    stable_s: float = 5.0
    """A connection that lasted this long starts the pauses anew."""
    refused_s: float = 5.0
    """The least pause after a refusal by a close code (4429 to 4436), which does not carry the time to wait."""
    retry_after_s_max: float = 3_600.0
    """The longest wait that a refusal may ask for."""
    attempts_max: float = math.inf
    """Attempts in a row that fail before the client gives up."""
    connect_s_max: float = 40.0
    """How long an attempt may take. The gateway may hold an answer back for `admission.queue.wait_ms`, 30 s."""
    token_s_max: float = 10.0
    """How long the token provider may take."""
    queued_s_max: float = 3_600.0
    """How long a client may wait at one place in the queue."""
    notice_s: float = 0.1
    """How long a new connection is watched for the notice `queued` before it counts as open."""
    silence_s: float = 40.0
    """After this long without a word from the server the connection counts as gone; 0 for never.
    After half of it the client sends a ping, which the gateway does not count as activity."""
    received_messages_max: int = 16
    """Messages that wait for `recv` before the client stops reading."""
    buffer_messages_max: int = 0
    """Messages that are kept while there is no connection; 0 for none."""
    buffer_bytes_max: int = 1_048_576
    """Bytes of such messages; characters of a text count as one."""


@dataclass(frozen=True, kw_only=True)
class Names:
    """Names, all of which the gateway's operator can change too (`identity.*`)."""

    key_param: str = "key"
    """The query parameter of the key; "" sends none."""
    device_param: str = "device"
    """The query parameter of the device; "" sends none."""
    token_param: str = "token"
    """The query parameter of the token, with `token_in="query"`."""
    token_prefix: str = "wastegate.bearer."
    """What stands before the token, with `token_in="subprotocol"`."""


@dataclass(frozen=True, kw_only=True)
class VisibilityHints:
    """Control lines that tell the application whether the user sees the client."""

    visible: str
    hidden: str
    answer: str | None = None
    """What the application answers to each. It is taken out and `recv` never returns it."""


BUILT_IN_HINTS = VisibilityHints(visible="/visible", hidden="/hidden", answer="ok")
"""The control lines of wastegate's built-in application."""
