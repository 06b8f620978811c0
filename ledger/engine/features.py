"""Features: numbers about what came before a row, declared in a rule file beside its conditions.

    group_by: [buyer, code]                 # any text fields of the row; a rule by buyer is a second stage over re-keyed rows
    features:
      n_14d: {agg: count, window: 14d}
      sellers_14d: {agg: distinct, of: seller, window: 14d}
      total_14d: {agg: sum, of: amount, where: 'reason == "purchase"', window: 14d}
      p95: {agg: daily_quantile, q: 95, of: amount, window: 60d, min_days: 15}
      this_month: {agg: sum, of: amount, window: month}
      usual: {agg: mean_of_months, of: amount, months: 12, min_months: 3}
      growth: {agg: ratio_ppm, of: this_month, to: usual}
      z: {agg: robust_z, of: amount, min: 12, window: 365d}
      first: {agg: is_first}
      before_ms: {agg: last, of: event_ms}

A feature counts the rows of the rule's `scope` (and of its own `where`, a condition on the row's fields and the rule's
parameters) that bear the same `group_by`. Its name is a CEL variable and can be shown in a reason.

- `count`, `sum`, `min`, `max` (of an int field), `distinct` (of a text field): over the window that ends with the row,
  `(t - window, t]`; the row itself and those of the same moment are inside. `window` is a duration, or `day` or `month`:
  what the calendar day or month has brought up to the row (in the county's zone).
- `last` (of any int or text field): of the newest row strictly before this one; of several at one moment the greatest.
- `is_first`: true when no row is strictly before it; for good, or within `window`.
- `robust_z` (of an int field): how unusual this row's value is against those strictly before it, in thousandths
  (`statistics.quantity_z_milli`; positive values only, at most the newest HISTORY); from `min` of them on.
- `daily_quantile` (`q` per cent): of the totals of the days in `window` that had any, today's left out; from `min_days` on.
- `mean_of_months`, `max_of_months`: totals of the whole calendar months before the row's, at most `months`, idle ones
  being 0, counted from the first month with a row on; from `min_months` (1) on.
- `ratio_ppm`: one feature (`of`) over another (`to`) in parts per million; not ready where `to` is 0 or either is not.

What can lack history has a companion `<name>_ready` (bool), and is 0 (or "") without. A band that reads it but not its
companion does not hold until it is ready; with `not_evaluable: info` it is instead said once, as an alert of severity info. `window_end_ms` is the time of the row.

`by: received` measures time by receipt and not by the time claimed (for rules about how records are sent, not about what
happened); then all features of the rule are. Times claimed ahead of receipt count as `inputs.plausible_ms`.

How they are kept, and why not in additive buckets: `ledger.engine.lanes`.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from ledger.engine.days import DAY_MS
from ledger.engine.expressions import Condition
from ledger.engine.limits import is_name
from ledger.engine.yamlfile import Located
from ledger.errors import RuleError

FOREVER_MS = 400 * DAY_MS
"""How far back looks what has no window: a year and a month."""
MAX_WINDOW_MS = FOREVER_MS
HISTORY = 256
"""Values that a robust z looks at."""
READY = "_ready"
WINDOW_END = "window_end_ms"
"""Beside a row's fields: the time at which its windows end. An alert carries it."""

_SHAPES = {
    "count": ("window", "where by"),
    "sum": ("of window", "where by"),
    "min": ("of window", "where by"),
    "max": ("of window", "where by"),
    "distinct": ("of window", "where by"),
    "last": ("of", "where window by"),
    "is_first": ("", "where window by"),
    "robust_z": ("of min", "where window by"),
    "daily_quantile": ("of q window min_days", "where"),
    "mean_of_months": ("of months", "where min_months"),
    "max_of_months": ("of months", "where min_months"),
    "ratio_ppm": ("of to", ""),
}
_OF_KINDS = {"distinct": ("str",), "last": ("int", "str")}
_UNREADY = frozenset(
    {"last", "robust_z", "daily_quantile", "mean_of_months", "max_of_months", "ratio_ppm", "min", "max"}
)


@dataclass(frozen=True, slots=True)
class Feature:
    """One declared feature. `of` and `to` name fields of the row, or features for `ratio_ppm`."""

    name: str
    agg: str
    kind: str
    """Type of the value: int, bool or str."""
    of: str = ""
    to: str = ""
    where: Condition | None = None
    window_ms: int = 0
    calendar: str = ""
    """`day` or `month` instead of `window_ms`."""
    q: int = 0
    months: int = 0
    least: int = 0
    """min, min_days or min_months."""
    received: bool = False

    @property
    def needs_ready(self) -> bool:
        """Whether it may lack history, so that `<name>_ready` stands beside it."""
        return self.agg in _UNREADY

    @property
    def reach_ms(self) -> int:
        """How far back a row can lie that changes it."""
        if self.agg == "ratio_ppm":
            return 0
        if self.months:
            return min((self.months + 1) * 31 * DAY_MS, FOREVER_MS)
        if self.calendar:
            return 31 * DAY_MS if self.calendar == "month" else DAY_MS
        if self.agg == "daily_quantile":
            return self.window_ms + DAY_MS
        return self.window_ms or FOREVER_MS

    @property
    def content(self) -> str:
        """What it computes, whatever it is called; the same text is the same number for the same lane."""
        return "|".join(
            map(str, (self.agg, self.of, self.window_ms, self.calendar, self.q, self.months, self.least, self.received))
        )


def feature_names(features: Mapping[str, Feature]) -> dict[str, str]:
    """The names that features add to a condition's, with their types."""
    names = {}
    for name, feature in features.items():
        names[name] = feature.kind
        if feature.needs_ready:
            names[name + READY] = "bool"
    return names


def read_features(
    located: Located | None, fields: Mapping[str, str], parameters: Mapping[str, Any]
) -> dict[str, Feature]:
    """`features` of a rule file. Raises RuleError with file and line."""
    features: dict[str, Feature] = {}
    if located is None:
        return features
    names = dict(fields) | dict.fromkeys(parameters, "int")
    for name, item in located.any_mapping().items():
        if not is_name(name) or name in names or name.endswith(READY) or name == WINDOW_END:
            raise item.wrong(f"{name!r} is a field of the rows, a parameter, or no name for a feature")
        features[name] = _feature(name, item, fields, names, features)
        names |= feature_names({name: features[name]})
    if len({feature.received for feature in features.values() if feature.agg != "ratio_ppm"}) > 1:
        raise located.wrong("either all features of a rule are by: received, or none")
    return features


def _feature(
    name: str, item: Located, fields: Mapping[str, str], names: Mapping[str, str], others: Mapping[str, Feature]
) -> Feature:
    if "agg" not in item.any_mapping():
        raise item.wrong("the key 'agg' is missing")
    agg = item.any_mapping()["agg"].text(" ".join(_SHAPES))
    required, optional = _SHAPES[agg]
    top = item.mapping(f"agg {required}", optional)
    if agg == "ratio_ppm":
        for part in ("of", "to"):
            other = others.get(top[part].text())
            if other is None or other.kind != "int":
                raise top[part].wrong(f"{top[part].value} is no number among the features declared before")
        return Feature(name, agg, "int", of=top["of"].text(), to=top["to"].text())
    of = top["of"].text() if "of" in top else ""
    if of and fields.get(of) not in _OF_KINDS.get(agg, ("int",)):
        raise top["of"].wrong(f"{of} is no field of the rows that {agg} can take")
    window_ms, calendar = _window(top.get("window"), calendar=agg in ("count", "sum", "min", "max", "distinct"))
    least_name = next((part for part in ("min", "min_days", "min_months") if part in top), "")
    return Feature(
        name=name,
        agg=agg,
        kind="bool" if agg == "is_first" else fields[of] if agg == "last" else "int",
        of=of,
        where=_where(top["where"], names, names.keys() - fields.keys(), others) if "where" in top else None,
        window_ms=window_ms,
        calendar=calendar,
        q=_between(top["q"], 1, 100) if "q" in top else 0,
        months=_between(top["months"], 1, 12) if "months" in top else 0,
        least=top[least_name].integer(1) if least_name else 1,
        received="by" in top and top["by"].text("event received") == "received",
    )


def _window(located: Located | None, *, calendar: bool) -> tuple[int, str]:
    if located is None:
        return 0, ""
    if calendar and located.value in ("day", "month"):
        return 0, located.text()
    window_ms = located.duration_ms()
    if not 0 < window_ms <= MAX_WINDOW_MS:
        raise located.wrong("a window lasts longer than nothing and at most 400 days")
    return window_ms, ""


def _between(located: Located, least: int, most: int) -> int:
    number = located.integer(least)
    if number > most:
        raise located.wrong(f"at most {most} is possible here")
    return number


def _where(
    located: Located, names: Mapping[str, str], parameters: Collection[str], others: Mapping[str, Feature]
) -> Condition:
    try:
        condition = Condition(located.text(), names, parameters)
    except RuleError as error:
        raise located.wrong(error.detail) from None
    if any(name in others or name.removesuffix(READY) in others for name in condition.names):
        raise located.wrong("`where` reads the row, not other features")
    return condition
