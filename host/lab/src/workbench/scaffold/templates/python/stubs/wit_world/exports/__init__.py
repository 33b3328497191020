"""What a policy offers."""

from abc import ABC, abstractmethod

from ..imports.types import Call, Choice, Manifest


class Ranker(ABC):
    @abstractmethod
    def describe(self) -> Manifest:
        """Asked once, when the policy is loaded; always the same answer."""

    @abstractmethod
    def rank(self, call: Call, columns: list[list[float]]) -> list[Choice]:
        """The best victim first. An exception is a fault, and the host ranks by itself."""
