"""Which errors of a rule or a topic are contained, and which end the engine's turn.

What an entry brings about in the fold is the same at every start. An error that is let through would end the process at that
entry for ever, and with it every other rule's warnings. So whatever a rule, a feature or a topic raises is that one's health
and one alert (`AlertBook.fail`); the fold goes on. Only what comes from outside of the fold is let through: a store that is
away, a machine without memory. The caller waits, or dies and starts again from its snapshot.
"""

from __future__ import annotations

from ledger.errors import OverloadedError, RuleError, StoreError

OUTSIDE = (StoreError, OverloadedError, OSError, MemoryError)
"""Raised again before anything is contained."""


def said(error: Exception) -> str:
    """What an error says; of one that is not ours its name too."""
    return error.detail if isinstance(error, RuleError) else f"{type(error).__name__}: {error}"
