"""Lint: everything that is wrong with a file, where it stands, and nothing that follows from that alone."""

import pytest

from ledger.engine.restraints import EXCEPTIONS
from ledger.rulebench.drafts import lint, load_with, overlaid
from ledger.rulesets import shipped_sources

GOOD = next(text for name, text in shipped_sources().items() if name.startswith("A02"))
WINDOWED = next(text for name, text in shipped_sources().items() if name.startswith("B10"))


def lines(problems):
    return [(p.line, p.what.split(";")[0][:60]) for p in problems]


def at(text, needle):
    return next(n for n, line in enumerate(text.splitlines(), 1) if needle in line)


def changed(text, *pairs):
    for old, new in pairs:
        assert text.count(old) >= 1, old
        text = text.replace(old, new, 1)
    return text


def test_lint__shipped_rules__nothing():
    assert lint(shipped_sources()) == []


def test_lint__several_mistakes__all_with_their_lines():
    text = changed(
        GOOD,
        ("severity: high\nlegal", "severity: hgh\nlegal"),
        ("fill_ppm > critical_ppm'", "fill_pm > critical_ppm'"),
        ("{stock|amount}，接近", "{stok|amount}，接近"),
        ("basis: engineering default}", "bassis: engineering default}"),
        ("quiet: 24h", "quiet: 24 h"),
        ("about: silent", "about: quiet"),
    )
    problems = lint({"x.yml": text})
    assert {p.file for p in problems} == {"x.yml"}
    assert {p.line for p in problems} >= {
        at(text, "severity: hgh"),
        at(text, "fill_pm >"),
        at(text, "quiet: 24 h"),
        at(text, "bassis"),
        at(text, "about: quiet"),
        at(text, "{stok|amount}") - 1,
    }
    assert len(problems) == 6, problems


def test_lint__two_mistakes_in_one_band__both():
    text = changed(GOOD, ("when: 'known && fill_ppm > warn_ppm'", "when: 'known && fil_ppm > warn_ppm'"), ("{capacity|amount} ({fill", "{capacity|kilo} ({fill"))
    assert len(lint({"x.yml": text})) == 2


def test_lint__wrong_feature__what_reads_it_is_not_blamed():
    text = changed(WINDOWED, ("n_14d: {agg: count", "n_14d: {agg: cuont"))
    (problem,) = lint({"x.yml": text})
    assert problem.line == at(text, "cuont") and "cuont" in problem.what


@pytest.mark.parametrize("key", ["title", "bands", "episode", "legal_basis", "id"])
def test_lint__a_key_is_missing__that_and_what_else_is_wrong(key):
    document = [block for block in _blocks(GOOD) if not block.startswith(f"{key}:")]
    text = "".join(document).replace("status: live", "status: lively")
    found = [p.what for p in lint({"x.yml": text})]
    assert any(f"'{key}' is missing" in what for what in found) and any("lively" in what for what in found), found


def _blocks(text):
    blocks = []
    for line in text.splitlines(keepends=True):
        if line[0] in " \n#" and blocks:
            blocks[-1] += line
        else:
            blocks.append(line)
    return blocks


def test_lint__no_yaml__the_line():
    (problem,) = lint({"x.yml": "schema: rule/1\nid: [A\nversion: 1\n"})
    assert problem.line in (2, 3)


def test_lint__unknown_subject__ends_there():
    text = changed(GOOD, ("on: [store, ", "on: [stoer, "))
    (problem,) = lint({"x.yml": text})
    assert problem.line == at(text, "on: [") and "stoer" in problem.what


def test_lint__no_test_across_a_restart__said_once():
    text = GOOD[: GOOD.index("  - name: a capacity that is stated later")]
    (problem,) = lint({"x.yml": text})
    assert "restart" in problem.what and problem.line == at(text, "tests:")


def test_lint__two_files_of_one_rule__the_second_is_named():
    (problem,) = lint({"a.yml": GOOD, "b.yml": GOOD})
    assert (problem.file, problem.line) == ("b.yml", 1) and "a.yml" in problem.what


def test_lint__inhibited_by_a_rule_that_is_not__found_in_the_set():
    text = GOOD.replace("episode:", "inhibited_by: [{rule: Z99, on: [holder]}]\nepisode:", 1)
    (problem,) = lint({"x.yml": text})
    assert problem.file == "x.yml" and "Z99" in problem.what


def test_overlaid__draft__takes_the_place_of_its_namesake():
    sources = overlaid({"drafts/mine.yml": GOOD.replace("version: 1", "version: 2")})
    assert len(sources) == len(shipped_sources())
    rules = load_with({"drafts/mine.yml": GOOD.replace("version: 1", "version: 2")})
    assert next(r.version for r in rules.rules if r.id == "A02") == 2
    assert EXCEPTIONS == "exceptions.yml"
