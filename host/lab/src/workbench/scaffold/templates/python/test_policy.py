"""Unit tests in plain Python, with its debugger: `python3 -m unittest`."""

import sys
import unittest
from math import nan
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent / "stubs"))

from policy import Ranker  # noqa: E402
from wit_world.imports.types import Call, Choice, Scope, Tier  # noqa: E402


def ranked(*idle: float) -> list[Choice]:
    """Asks the policy about managers of whom only the idle times are known."""
    assert Ranker().describe().signals == ["idle-ms"]
    call = Call(Tier.FORCE, Scope.USER, 1, len(idle), len(idle), 1_000_000_000, 1, [])
    return Ranker().rank(call, [list(idle)])


class Order(unittest.TestCase):
    def test_the_longest_idle_goes_first_and_the_unknown_last(self) -> None:
        choices = ranked(10.0, nan, 30.0, 20.0)
        self.assertEqual([choice.manager for choice in choices], [2, 3, 0, 1])
        self.assertEqual([choice.score for choice in choices], [30.0, 20.0, 10.0, 0.0])

    def test_equals_stay_as_they_were(self) -> None:
        self.assertEqual([choice.manager for choice in ranked(5.0, 5.0, 5.0)], [0, 1, 2])


if __name__ == "__main__":
    unittest.main()
