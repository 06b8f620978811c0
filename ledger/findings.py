"""What the law says of a valid record, named in the sender's answer: never a reason to refuse, the evidence must not vanish.

Pure, and only what needs no history; what needs history is the engine's. The same call answers `precheck` before the act.
"""

from __future__ import annotations

from typing import Any

from ledger.catalogue import Catalogue
from ledger.core.record import Line, lines_of
from ledger.model import Finding, Payload, UnixMs

AHEAD_MS = 10 * 60_000
"""Clocks differ by minutes; what happened more than ten minutes from now did not happen yet (rule D05)."""
TWO_PERSONS = 2
"""Decree 591 art. 24(1): receipt, issue and custody of highly toxic chemicals by two persons."""
BANNED_FOR_PERSONS = ("highly_toxic", "explosive_precursor")


def findings(payload: Payload, *, catalogue: Catalogue, received: UnixMs) -> list[Finding]:
    """The findings on one well-formed payload, in the order of its lines.

    `received` is when it came, or would come. Not checked here: licences, stock, capacity, the other end, disclosures' content.
    """
    found = []
    if payload.event_time_ms - received > AHEAD_MS:
        found.append(_ahead(payload))
    body, base = payload.body, "/body"
    if payload.kind == "correction":
        body, base = body["body"], "/body/body"
    if payload.kind != "movement" and payload.document["body"].get("kind") != "movement":
        return found
    if not _to_person(body) and _persons(body) >= TWO_PERSONS:
        return found  # whatever the goods are, `_of_line` has nothing to say
    seen: set[tuple[str, str]] = set()
    for line in lines_of(payload):
        categories = catalogue.classify(line.code, line.concentration_ppm, line.form).categories
        for finding in _of_line(line, categories, body, base):
            # One sentence per substance and defect, however many lines repeat it.
            if (finding.code, line.code) not in seen:
                seen.add((finding.code, line.code))
                found.append(finding)
    return found


def _of_line(line: Line, categories: frozenset[str], body: dict[str, Any], base: str) -> list[Finding]:
    found = []
    listed = [category for category in BANNED_FOR_PERSONS if category in categories]
    if _to_person(body) and listed and not (listed == ["highly_toxic"] and "pesticide_registration" in line.attributes):
        found.append(
            Finding(
                "natural-person",
                "critical",
                f"{base}/counterparty",
                {
                    "zh": f"{line.code} 不得销售给个人（《危险化学品安全管理条例》第四十条）",
                    "en": f"{line.code} may not be sold to a natural person (Decree 591 art. 40)",
                },
            )
        )
    if "highly_toxic" in categories and _persons(body) < TWO_PERSONS:
        found.append(
            Finding(
                "two-persons",
                "high",
                f"{base}/handlers",
                {
                    "zh": f"剧毒化学品 {line.code} 的收发须双人（《危险化学品安全管理条例》第二十四条）",
                    "en": f"{line.code} is highly toxic: two persons receive and issue it (Decree 591 art. 24)",
                },
            )
        )
    return found


def _to_person(body: dict[str, Any]) -> bool:
    other = body.get("counterparty")
    return other is not None and other.get("type") == "person" and body["direction"] == "out"


def _persons(body: dict[str, Any]) -> int:
    return len({handler["ref"] for handler in body.get("handlers", ())})


def _ahead(payload: Payload) -> Finding:
    return Finding(
        "event-in-future",
        "medium",
        "/event_time",
        {
            "zh": f"发生时间 {payload.event_time} 比接收时间晚 10 分钟以上",
            "en": f"the event time {payload.event_time} is more than ten minutes after it came",
        },
    )
