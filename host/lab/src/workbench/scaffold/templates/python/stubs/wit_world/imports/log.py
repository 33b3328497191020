"""A line for the policy's log; in a unit test it goes nowhere."""

from enum import Enum


class Level(Enum):
    DEBUG = 0
    INFO = 1
    WARN = 2
    ERROR = 3


def log(level: Level, message: str) -> None:
    """Bounded per line and per call; what is over is counted and dropped."""
