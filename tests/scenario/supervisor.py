"""The supervisor at the desk: takes every warning up, and closes it; in the same stream, by the same clock.

What is done depends on what was raised, so its records join the stream while it is folded.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from tests.scenario.drafts import Draft


class Supervisor:
    def __init__(self, world: Any) -> None:
        self._world = world

    def see(self, raised: Iterable[Any]) -> None:
        """New alerts."""

    def among(self, drafts: Iterable[Draft]) -> Iterator[Draft]:
        """The stream, with what the supervisor writes at its place."""
        yield from drafts
