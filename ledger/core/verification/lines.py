"""The lines of one verification while it runs: a check that failed stays failed, whatever is said later."""

from __future__ import annotations

from collections.abc import Callable
from typing import ParamSpec, TypeVar

from ledger.core.verification.verdict import FAIL, OK, SKIP, Check
from ledger.errors import VerificationError

P = ParamSpec("P")
T = TypeVar("T")


class Lines:
    """One line a check number. The first word about a number stands, except that a failure replaces it."""

    def __init__(self) -> None:
        self._lines: dict[int, Check] = {}

    def attempt(self, number: int, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T | None:
        """What `function` returns, or None after its failure was written down (under the number it names)."""
        try:
            return function(*args, **kwargs)
        except VerificationError as error:
            self.fail(error)
            if error.check != number:
                self.skip(number, f"needs check {error.check}")
            return None

    def holds(self, number: int, function: Callable[P, None], *args: P.args, **kwargs: P.kwargs) -> bool:
        """As `attempt` for a check that returns nothing: True when it did not raise."""

        def returning(*args: P.args, **kwargs: P.kwargs) -> bool:
            function(*args, **kwargs)
            return True

        return self.attempt(number, returning, *args, **kwargs) is True

    def fail(self, error: VerificationError) -> None:
        """The failed line of the error's own check."""
        detail = error.detail if error.pointer is None else f"{error.detail} ({error.pointer or '/'})"
        self._lines[error.check] = Check(error.check, FAIL, detail, error.code)

    def ok(self, number: int, detail: str) -> None:
        """The check held."""
        self._lines.setdefault(number, Check(number, OK, detail))

    def skip(self, number: int, detail: str) -> None:
        """The check was not made, and why."""
        self._lines.setdefault(number, Check(number, SKIP, detail))

    def passed(self, number: int) -> bool:
        """True when this check held."""
        return number in self._lines and self._lines[number].status == OK

    def of(self, number: int) -> Check:
        """The line of a check that has one."""
        return self._lines[number]

    def failed(self) -> list[Check]:
        """The failed checks, by number."""
        return [line for line in self.all() if line.status == FAIL]

    def all(self) -> list[Check]:
        """Every line, by number."""
        return [self._lines[number] for number in sorted(self._lines)]
