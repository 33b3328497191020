"""The values that cross the boundary."""

from dataclasses import dataclass
from enum import Enum


class Tier(Enum):
    """How hard the host is looking for room, mildest first."""

    PROACTIVE = 0
    CONSERVATIVE = 1
    MODERATE = 2
    AGGRESSIVE = 3
    FORCE = 4


class Scope(Enum):
    """Whose managers the rows are: one user's, or the whole node's."""

    USER = 0
    NODE = 1


@dataclass
class Call:
    """One decision to make. `needed`, `limit` and `held` count managers; the answer must not depend
    on `now_ms`; `seed` is the only source of randomness; `params` are in the order of the manifest."""

    tier: Tier
    scope: Scope
    needed: int
    limit: int
    held: int
    now_ms: int
    seed: int
    params: list[float]


@dataclass
class Choice:
    """One proposed victim: its row, a score for the record (no NaN), and the number of a reason."""

    manager: int
    score: float
    reason: int


@dataclass
class Parameter:
    """A number that the operator may set; the host keeps it between `min` and `max`."""

    name: str
    default: float
    min: float
    max: float
    doc: str


@dataclass
class Manifest:
    """What a policy is, and the columns that it wants, in its order."""

    name: str
    version: str
    summary: str
    signals: list[str]
    parameters: list[Parameter]
    reasons: list[str]
    scopes: list[Scope]
