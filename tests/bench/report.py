"""One line a figure: what, value, unit, and what it is measured against."""

from __future__ import annotations

import os
import platform
from dataclasses import dataclass, field


@dataclass
class Report:
    rows: list[tuple[str, str, str, str]] = field(default_factory=list)

    def add(self, what: str, value: float, unit: str, against: str = "") -> None:
        shown = f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"
        self.rows.append((what, shown, unit, against))
        print(f"  {what:<58} {shown:>12} {unit:<14} {against}", flush=True)

    def ratio(self, what: str, value: float, of: float, target: float | None = None, *, at_least: bool = True) -> None:
        ratio = value / of if of else 0.0
        verdict = ""
        if target is not None:
            good = ratio >= target if at_least else ratio <= target
            verdict = f"target {'>=' if at_least else '<='} {target:g}: {'reached' if good else 'NOT reached'}"
        self.add(what, ratio, "ratio", verdict)


def machine() -> str:
    model = next(
        (line.split(":")[1].strip() for line in open("/proc/cpuinfo") if line.startswith("model name")), platform.processor()
    )
    return f"{os.cpu_count()} cores, {model}, Python {platform.python_version()}, {platform.system()}"


def percentile(values: list[float], q: float) -> float:
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(q * len(ordered)))]
