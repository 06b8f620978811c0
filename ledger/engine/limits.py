"""What a rule file may not exceed, because something behind it could not take it.

A rule is written once and runs for years. Whatever of it the log's door, a table or the fold would refuse is refused here,
with its line, and not at the first alert: one alert that the door refuses holds up all that follow it in the engine's book,
and a deadline beyond 64 bits ends the process at its commit, at every start again.
"""

from __future__ import annotations

import re
from collections.abc import Collection

from ledger.engine.yamlfile import Located

MAX_RULES = 256
"""Rules that run at a time: as many as a `ruleset` entry lists (ruleset.json)."""
MAX_VERSION = 1_000_000
"""alert.json, ruleset.json."""
MAX_BANDS = 64
"""alert.json: bands 0 to 63."""
MAX_FINGERPRINT = 16
"""alert.json."""
MAX_TEXT = 2000
"""Characters of a title or reason as written."""
RESERVED = frozenset(
    {"CLOCK", "COST", "ENGINE", "LAG", "LIFE", "OUTBOX", "PROMOTION", "REVOKED", "RULE-ERROR", "STORES"}
)
"""Names under which what is no rule stands among rules: in the health, the timers, the alerts."""
_RULE_ID = re.compile(r"[A-Z][A-Z0-9-]{1,31}")
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,63}")


def read_rule_id(located: Located) -> str:
    """A rule's id, as _common.json has it, and none of RESERVED."""
    text = located.text()
    if not _RULE_ID.fullmatch(text):
        raise located.wrong("an id is of upper-case letters, digits and hyphens, 2 to 32 of them, a letter first")
    if text in RESERVED:
        raise located.wrong(f"{text} is the name of what is no rule")
    return text


def read_version(located: Located) -> int:
    """A rule's version."""
    version = located.integer(1)
    if version > MAX_VERSION:
        raise located.wrong(f"a version is at most {MAX_VERSION}")
    return version


def read_texts(located: Located) -> dict[str, str]:
    """A text in both languages."""
    both = located.mapping("zh en")
    for text in both.values():
        if len(text.text()) > MAX_TEXT:
            raise text.wrong(f"a text has at most {MAX_TEXT} characters, this one {len(text.value)}")
    return {language: both[language].text() for language in ("zh", "en")}


def is_name(text: str) -> bool:
    """Whether it can be the name of a parameter or feature: alerts carry values under it (`values` in _common.json)."""
    return bool(_NAME.fullmatch(text))


def check_fingerprint(located: Located, names: Collection[str]) -> None:
    """An episode is of something, and of nothing twice."""
    if not 1 <= len(names) <= MAX_FINGERPRINT or len(set(names)) != len(names):
        raise located.wrong(f"a fingerprint is of 1 to {MAX_FINGERPRINT} different fields")
