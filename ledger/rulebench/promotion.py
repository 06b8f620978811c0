"""Whether a draft or a rule in shadow may become live, and its file when it does."""

from __future__ import annotations

import re
from collections import Counter

from ledger.engine.days import date_of
from ledger.engine.goods import Classifier
from ledger.engine.ruletests import run_tests
from ledger.errors import RuleError
from ledger.promotion import over_budget
from ledger.rulebench.backtest import BackTest

_STATUS = re.compile(r"^status:[ \t]*\w+", re.MULTILINE)
_VERSION = re.compile(r"^version:[ \t]*(\d+)", re.MULTILINE)


def judged(test: BackTest, classifier: Classifier) -> list[str]:
    """Why the rule of a finished back-test may not become live."""
    rule = test.rule
    against = [f"test {o.name!r}: {o.detail}" for o in run_tests([rule], classifier) if o.detail]
    if any(one.rule != rule.id for one in test.found):
        against.append("it raised errors on the installation's history")
    days = Counter(date_of(one.opened_ms) for one in test.found if one.rule == rule.id and not one.suppressed)
    return against + over_budget(rule, days)


def made_live(text: str) -> str:
    """The rule's file with status live and the next version; all else stays. Raises RuleError."""
    version = _VERSION.search(text)
    if version is None or not _STATUS.search(text):
        raise RuleError("the file states its status and version in another way than `status: shadow`, `version: 1`")
    text = _STATUS.sub("status: live", text, count=1)
    return _VERSION.sub(f"version: {int(version[1]) + 1}", text, count=1)
