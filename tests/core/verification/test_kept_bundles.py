"""Bundles written by earlier versions are kept for ever and must verify (tests/vectors/bundles/README.md)."""

from pathlib import Path

import pytest

from ledger.core.trust import parse_trust
from ledger.core.verification import Level, verify_bundle

KEPT = Path(__file__).parents[2] / "vectors" / "bundles"
CASES = [
    ("v1-two-signers.hzb.json", "v1.trust.json", Level.ANCHORED_DEV, None),
    ("v1-platform-grant.hzb.json", "v1.trust.json", Level.ANCHORED_DEV, None),
    ("v1-qbft.hzb.json", "v1-qbft.trust.json", Level.ANCHORED, 1_790_001_212),
]


@pytest.mark.parametrize(("name", "trust", "level", "existed_by_s"), CASES)
def test_kept_bundle__of_an_earlier_version__still_verifies(name, trust, level, existed_by_s):
    trusted = parse_trust((KEPT / trust).read_bytes())
    verdict = verify_bundle((KEPT / name).read_bytes(), trusted, require=level)
    assert verdict.exit_code == 0, verdict.lines()
    assert verdict.existed_by_s == existed_by_s


def test_kept_bundles__every_file__has_its_case():
    assert {path.name for path in KEPT.glob("*.hzb.json")} == {name for name, *_ in CASES}
