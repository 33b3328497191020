"""`lru-python`: what its user has left alone for longest goes first.

The same policy as `policies/lru`, in Python. Score: `idle-ms`, the time since the last user
activity, or 0 where that is unknown. It looks at nothing else.
"""

from math import isnan

from wit_world import exports
from wit_world.imports.types import Call, Choice, Manifest, Scope

# Places of the signals and of the reasons in the manifest below.
IDLE = 0
LEFT_ALONE = 0


class Ranker(exports.Ranker):
    def describe(self) -> Manifest:
        """What the policy is and what it wants to be told. Asked once, when it is loaded."""
        return Manifest(
            name="lru-python",
            version="1.0.0",
            summary="Evicts the managers that their users have left alone for longest.",
            signals=["idle-ms"],
            parameters=[],
            reasons=["least recently used"],
            scopes=[Scope.USER, Scope.NODE],
        )

    def rank(self, call: Call, columns: list[list[float]]) -> list[Choice]:
        """Best victim first. `columns` has one list for each signal, in the order of the manifest,
        and in it one number for each manager."""
        idle = [-1.0 if isnan(ms) else ms for ms in columns[IDLE]]
        # The sort is stable, so among equals the lower row stays first.
        rows = sorted(range(len(idle)), key=idle.__getitem__, reverse=True)
        return [
            Choice(row, max(idle[row], 0.0), LEFT_ALONE)
            for row in rows[: enough(call.needed, len(rows))]
        ]


def enough(needed: int, rows: int) -> int:
    """How many choices do: the host strikes some, so a quarter more than it needs, at least 16."""
    return rows if rows <= 64 else needed + max(16, needed // 4)
