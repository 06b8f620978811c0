"""What was planted, and what may not fire: the machine-readable list beside the stream."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from typing import Any

PLANTED, NEAR_MISS = "planted", "near_miss"


@dataclass(frozen=True, slots=True)
class Label:
    """One case. An alert is its own when rule, time and place fit: every part of `where` that is not empty.

    `where` names parts of an alert: holder, site, book, record, or `in` (a text among the fingerprint's
    parts), `among` (holders, one of which it is).
    `also` names rules whose alerts at this place and time are the case's too, planted or not; they are neither asked
    for nor false.
    """

    id: str
    rule: str
    kind: str
    where: dict[str, str]
    from_ms: int
    """The act: when the alert could come at the earliest."""
    until_ms: int
    """When it must have come."""
    why: str
    severity: str = ""
    """Expected of the first or a later alert; empty: any."""
    band: int = -1
    begins_ms: int = 0
    """When its story begins: from then on `also` explains."""
    also: tuple[str, ...] = ()
    holders: tuple[str, ...] = ()
    """Whose alerts `also` explains; empty: the holder of `where`."""
    outcome: str = ""
    """How the simulated supervisor closes it, where that matters."""


@dataclass
class Labels:
    """All labels of a world, by case."""

    listed: list[Label] = field(default_factory=list)

    def add(self, label: Label) -> None:
        self.listed.append(label)

    def until(self, ms: int) -> list[Label]:
        """Those whose window ends before `ms`."""
        return [label for label in self.listed if label.until_ms <= ms]

    def to_json(self) -> str:
        return "".join(json.dumps(asdict(label), ensure_ascii=False) + "\n" for label in self.listed)


def fits(label: Label, alert: dict[str, Any]) -> bool:
    """Whether an alert is at the label's place. `alert`: holder, site, book, record, fingerprint (see report.py)."""
    for name, value in label.where.items():
        if name == "in":
            if value not in alert["fingerprint"]:
                return False
        elif name == "among":
            if alert["holder"] not in value.split():
                return False
        elif alert[name] != value:
            return False
    return True


def rules_of(labels: Iterable[Label]) -> list[str]:
    return sorted({label.rule for label in labels})
