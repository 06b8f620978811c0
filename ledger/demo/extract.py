"""Makes `data/rmp_extract.csv` from the source table; run once, by hand, and its result is committed (data/SOURCE.md).

    python -m ledger.demo.extract rmp_submission_chemicals.csv > ledger/demo/data/rmp_extract.csv

Nothing is drawn at random: the same source gives the same extract. Quantities are copied as declared, in pounds; the
column in milligrams is derived from them (453,592.37 mg a pound, exact to the microgram, rounded half up).
"""

from __future__ import annotations

import csv
import sys
from collections import Counter, defaultdict
from pathlib import Path

from ledger.catalogue import Catalogue
from ledger.core.quantity import lb_to_mg

FACILITIES = 120
MAX_LB = 10_000_000
"""A tank half as large again must stay below 10^16 mg (formats.md, Quantity)."""
MAX_SUBSTANCES = 4
PER_SUBSTANCE = 8
"""First every substance gets up to this many facilities, rare ones first; the rest are filled in the source's order."""
COLUMNS = (
    "facility_id",
    "facility_name",
    "naics",
    "submission_id",
    "validation_date",
    "chemical",
    "cas",
    "quantity_lb",
    "quantity_mg",
)

Row = dict[str, str]


def extract(rows: list[Row]) -> list[Row]:
    """The chosen declarations, grouped by facility, in the source's order of facilities."""
    known = {substance.code for substance in Catalogue.load().substances}
    by_facility = _newest(row for row in rows if row["cas"] in known and 0 < int(row["quantity_lb"]) <= MAX_LB)
    holders: dict[str, list[str]] = defaultdict(list)
    for facility, declared in by_facility.items():
        for cas in declared:
            holders[cas].append(facility)
    chosen: dict[str, None] = {}
    for cas in sorted(holders, key=lambda code: (len(holders[code]), code)):
        has = sum(1 for facility in holders[cas] if facility in chosen)
        for facility in holders[cas]:
            if has >= PER_SUBSTANCE or len(chosen) >= FACILITIES:
                break
            if facility not in chosen:
                chosen[facility] = None
                has += 1
    for facility in by_facility:
        if len(chosen) >= FACILITIES:
            break
        chosen.setdefault(facility)
    return [
        {**row, "quantity_mg": str(lb_to_mg(row["quantity_lb"]))}
        for facility, declared in by_facility.items()
        if facility in chosen
        for row in list(declared.values())[:MAX_SUBSTANCES]
    ]


def _newest(rows: object) -> dict[str, dict[str, Row]]:
    """Facility -> CAS -> its declaration in the facility's newest submission; of several processes the greatest."""
    newest: dict[str, str] = {}
    found: dict[str, dict[str, Row]] = defaultdict(dict)
    listed: list[Row] = list(rows)  # type: ignore[call-overload]
    for row in listed:
        facility = row["facility_id"]
        newest[facility] = max(newest.get(facility, ""), row["validation_date"] + row["submission_id"])
    for row in listed:
        if row["validation_date"] + row["submission_id"] != newest[row["facility_id"]]:
            continue
        of_facility = found[row["facility_id"]]
        before = of_facility.get(row["cas"])
        if before is None or int(row["quantity_lb"]) > int(before["quantity_lb"]):
            of_facility[row["cas"]] = row
    return found


def main() -> None:
    """Read the source named on the command line, write the extract to standard output, a summary to standard error."""
    with Path(sys.argv[1]).open(encoding="utf-8", newline="") as source:
        chosen = extract(list(csv.DictReader(source)))
    writer = csv.DictWriter(sys.stdout, COLUMNS, extrasaction="ignore", lineterminator="\n")
    writer.writeheader()
    writer.writerows(chosen)
    substances = Counter(row["cas"] for row in chosen)
    facilities = {row["facility_id"] for row in chosen}
    print(f"{len(chosen)} rows, {len(facilities)} facilities, {len(substances)} substances", file=sys.stderr)
    print(substances.most_common(), file=sys.stderr)


if __name__ == "__main__":
    main()
