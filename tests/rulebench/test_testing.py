"""rules test: outcomes and the report for a build server."""

from xml.etree import ElementTree

from ledger.catalogue import Catalogue
from ledger.rulebench.drafts import load_all, rules_in
from ledger.rulebench.testing import junit, run
from tests.rulebench.test_drafts import GOOD


TESTS = GOOD.count("  - name: ")


def outcomes_of(text):
    return list(run(rules_in(load_all({"x.yml": text}), {"x.yml": text}), Catalogue.load()))


def test_run__a_rule_that_finds_less_than_its_tests_say__fails_those():
    (one,) = outcomes_of(GOOD.replace("known && stock > capacity ", "known && stock > capacity + 100000000 "))
    assert len(one.outcomes) == TESTS and {o.about for o in one.failed} >= {"fires", "boundary"}


def test_run__draft__is_tested_too():
    (one,) = outcomes_of(GOOD.replace("status: live", "status: draft"))
    assert len(one.outcomes) == TESTS and not one.failed


def test_junit__passed_and_failed__each_is_a_case():
    (one,) = outcomes_of(GOOD.replace("known && stock > capacity ", "known && stock > capacity + 100000000 "))
    root = ElementTree.fromstring(junit([one]))
    assert (root.get("tests"), int(root.get("failures"))) == (str(TESTS), len(one.failed))
    cases = {case.get("name"): case.find("failure") for case in root.iter("testcase")}
    assert cases[one.failed[0].name].get("message") == one.failed[0].detail[:500]
    assert sum(failure is None for failure in cases.values()) == TESTS - len(one.failed)
