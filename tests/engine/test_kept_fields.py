"""Rule sets that were in force once are loaded again for every replay and audit: what they may read stays.

`data/subject_fields.json` holds the fields of each subject that rules of some released version could read. A field that a
topic no longer gave, or gave another type, would make each kept set that reads it unreadable: history before it would be
folded by other rules, and the audit of every installation would say FAILED. So a field is added freely (here too, with the next
release), and what is to be called otherwise is given under both names.
"""

import json
from pathlib import Path

from ledger.engine.registry import SUBJECTS

KEPT = json.loads((Path(__file__).parent / "data" / "subject_fields.json").read_text())


def test_subjects__fields_that_kept_rule_sets_may_read__are_still_given_with_their_types():
    given = {(name, field, kind) for name, subject in SUBJECTS.items() for field, kind in subject.fields.items()}
    kept = {(name, field, kind) for name, fields in KEPT.items() for field, kind in fields.items()}
    assert kept - given == set()
