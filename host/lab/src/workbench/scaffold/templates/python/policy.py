"""`{{name}}`: what its user has left alone for longest goes first."""

from math import inf, isnan

from wit_world import exports
from wit_world.imports.types import Call, Choice, Manifest, Scope

# Places in the lists of the manifest.
IDLE = 0
LEFT_ALONE = 0


class Ranker(exports.Ranker):
    def describe(self) -> Manifest:
        return Manifest(
            name="{{name}}",
            version="0.1.0",
            summary="Evicts the managers that their users have left alone for longest.",
            signals=["idle-ms"],
            parameters=[],
            reasons=["least recently used"],
            scopes=[Scope.USER, Scope.NODE],
        )

    def rank(self, call: Call, columns: list[list[float]]) -> list[Choice]:
        """Best victim first. There is a column for each signal, with a number for each manager."""
        # Unknown values are NaN: they go last. The sort is stable, so equals stay as they were.
        idle = [-inf if isnan(value) else value for value in columns[IDLE]]
        rows = sorted(range(len(idle)), key=lambda row: -idle[row])
        best = rows[: enough(call.needed, len(rows))]
        return [Choice(row, max(idle[row], 0.0), LEFT_ALONE) for row in best]


def enough(needed: int, rows: int) -> int:
    """Up to 64 rows all of them; beyond, a quarter more than needed, since the host strikes some."""
    return rows if rows <= 64 else needed + max(16, needed // 4)
