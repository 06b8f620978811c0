"""README.md says what the code says: stages, processes, commands, calls, settings, files, codes."""

from __future__ import annotations

import re

import pytest

from ledger import config, flow
from ledger.cli.main import cli
from ledger.cli.serve import PROCESSES
from ledger.core.verification import evidence
from ledger.core.verification.verdict import CHECK_NAMES, Level
from tests.readme.blocks import ROOT, blocks, matches, normalised, readme, section, table
from tests.run import GROUPS
from webapp.api.openapi import document
from webapp.api.problems import CODES

PAGE = readme()
BLOCKS = blocks(PAGE)
PROSE = re.sub(r"^```.*?^```$", "", PAGE, flags=re.DOTALL | re.MULTILINE)
SPANS = re.findall(r"`([^`\n]+)`", PROSE)


def test_blocks__each_console_block__is_run_or_says_why_not():
    unmarked = [block.line for block in BLOCKS if block.language == "console" and not block.mark]
    assert not unmarked
    silent = [block.line for block in BLOCKS if block.mark == "not run" and not block.argument]
    assert not silent
    assert sum(len(block.commands) for block in BLOCKS if block.mark == "run") >= 25


def test_links__each_relative_one__leads_to_a_file():
    links = re.findall(r"\]\(([^)#]+)\)", PROSE)
    assert len(links) >= 15
    gone = [link for link in links if "://" not in link and not (ROOT / link).exists()]
    assert not gone


def test_paths__each_named_in_the_text__exists():
    named = [span for span in SPANS if re.match(r"(\./)?(ledger|webapp|tests|scripts|contracts)/", span)]
    assert len(named) >= 4
    gone = [
        n for n in named if not list(ROOT.glob(re.sub(r"<[^>]+>", "*", n.split()[0].removeprefix("./")).rstrip("/")))
    ]
    assert not gone


def test_stages__the_order_of_flow__is_the_tables_order():
    rows_of_flow = re.findall(r"^\| ([a-z, ]+) \| ", flow.__doc__, re.MULTILINE)[1:]
    stages = [stage for row in rows_of_flow for stage in row.split(", ")]
    rows = table(section(PAGE, "The life of a record"))
    assert [row[0] for row in rows] == stages
    assert len(stages) >= 9
    for row in rows:
        place = ROOT / re.search(r"\((.*?)\)", row[1]).group(1)
        assert place.exists()
        assert all(cell for cell in row), row
        if place.is_file():
            assert place.stem == row[0]
            assert re.match(rf'"""Stage \d, {row[0]}\b', place.read_text(encoding="utf-8"))


def test_processes__those_that_serve_starts__each_has_its_row():
    text = section(PAGE, "The life of a record")
    rows = table(text[text.index("| process |") :])
    assert {row[0].split()[0] for row in rows} == {*PROCESSES, "Anvil"}


def test_commands__each_of_the_program__is_mentioned():
    names = cli.list_commands(None)
    assert len(names) >= 13
    missing = [name for name in names if not re.search(rf"hazledger {name}\b|`{name}\b|scripts/{name}\b", PAGE)]
    assert not missing


def test_commands__each_that_is_mentioned__is_one_of_the_program():
    mentioned = set(re.findall(r"(?<![\w/-])hazledger ([a-z]+)\b", "\n".join(SPANS)))
    assert mentioned <= set(cli.list_commands(None)), mentioned


def test_http__each_call_and_status_of_the_description__stands_in_the_table():
    rows = table(section(PAGE, "HTTP"))
    missing = []
    for path, methods in document()["paths"].items():
        for method, call in methods.items():
            asked = rf"\b{method.upper()} [^;]*{re.escape(path)}(?![\w{{/:-])"
            row = next((row for row in rows if re.search(asked, row[0])), None)
            if row is None:
                missing.append(f"{method} {path}")
                continue
            missing += [f"{path} {status}" for status in call["responses"] if status not in row[2]]
    assert not missing


def test_http__each_status_of_the_table__is_one_of_the_description():
    described = document()["paths"]
    for row in table(section(PAGE, "HTTP")):
        calls = [c for path, methods in described.items() if path in row[0] for c in methods.values()]
        assert calls, row[0]
        known = {status for call in calls for status in call["responses"]}
        assert set(re.findall(r"(?<![\w,])[1-5]\d\d(?![\w,]\d)", row[2])) <= known, row[0]


def test_codes__each_in_the_text__is_of_the_table_of_problems_or_evidence():
    known = {*CODES, evidence.CHECKPOINT_FORK, evidence.RECEIPT_BROKEN, evidence.BOOK_FORK}
    words = [span for span in SPANS if re.fullmatch(r"[a-z]+(-[a-z]+)+", span)]
    assert len(words) >= 6
    assert set(words) <= known


def test_settings__each_of_the_program__is_in_the_table_with_its_default():
    text = section(PAGE, "For the operator")
    rows = table(text[text.index("| setting |") :])
    told = " ".join(row[0] for row in rows)
    for name, settings in config._DEFAULTS.items():
        if name == "log":
            settings = {k: v for k, v in settings.items() if v is not None}
        for setting, default in settings.items():
            row = next((r for r in rows if r[0].startswith(f"`[{name}]") and f"{setting}`" in " ".join(r)), None)
            assert row is not None, f"[{name}] {setting} is not in the table"
            if isinstance(default, (int, float)) and not isinstance(default, bool):
                assert re.search(rf"(?<!\d){re.escape(str(default))}(?![\d.])", row[1]), f"[{name}] {setting} {default}"
    unknown = [
        w for w in re.findall(r"`(?:\[\w+\] )?(\w+)`", told) if not any(w in s for s in config._DEFAULTS.values())
    ]
    assert not unknown


def test_levels__those_of_the_verifier__are_explained():
    text = section(PAGE, "For the supervisor")
    rows = table(text[text.index("| level |") :])
    assert [row[0] for row in rows] == [*(level.label for level in Level if level), "FAILED"]


def test_checks__the_first_screen__shows_all_of_them():
    (demo,) = [block for block in BLOCKS if block.story == "demo"]
    shown = [int(n) for n in re.findall(r"^ +\[(?:ok|skip|FAIL)\] +(\d+) ", demo.text, re.MULTILINE)]
    assert shown[: len(CHECK_NAMES)] == list(CHECK_NAMES)


def test_groups__those_of_the_test_runner__are_named():
    for name, _ in GROUPS:
        assert f"`{name}`" in PAGE, name


def test_rules__those_that_ship__are_listed():
    shipped = {path.name.split("-")[0] for path in (ROOT / "ledger" / "rules").glob("*.yml")}
    listed = re.search(r"Rules: ([A-H0-9,\s]+)\.", PAGE).group(1)
    assert set(re.split(r",\s+", listed)) == shipped


def test_pages__those_that_are_named__are_routes_of_the_portal():
    rows = table(section(PAGE, "For the supervisor"))
    views = "\n".join(p.read_text(encoding="utf-8") for p in (ROOT / "webapp" / "portal").rglob("views.py"))
    pages = [row[0].strip("`") for row in rows]
    assert len(pages) >= 6
    assert not [page for page in pages if f'blueprint.get("{page}")' not in views]


def test_text__names_no_machine_and_no_index():
    assert not re.findall(r"/work/|/root/|/home/|/tmp/|pypi|npmjs|registry\.", PAGE)
    assert len(PAGE.splitlines()) <= 560


# --- the reader of the page itself -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("shown", "printed"),
    [
        (["[ok]    7 inclusion: index 3 of 4"], "[ok]    7 inclusion: index 13 of 14\n"),
        (["…", "OK: log a"], "first\nsecond\nOK: log a\n"),
        (["made x.key (ES256)", "keyid      c14c7fbd958e7a0a"], "made x.key (ES256)\n\nkeyid   00000000aaaaaaaa\n"),
        (["ANCHORED-DEV; keys as of block 10, …"], "ANCHORED-DEV; keys as of block 2, 2026-11-21 11:25:58 UTC; x\n"),
        ([], ""),
    ],
)
def test_matches__only_numbers_and_hashes_differ__yes(shown, printed):
    assert matches(shown, printed)


@pytest.mark.parametrize(
    ("shown", "printed"),
    [
        (["[ok]    7 inclusion: index 3 of 4"], "[FAIL]  7 inclusion: index 3 of 4\n"),
        (["ANCHORED-DEV; …"], "PENDING: ANCHORED-DEV; x\n"),
        (["exit code 3"], "exit code 0\n"),
        (["seq        2"], "seq        3\n"),
        (["one"], "one\ntwo\n"),
        (["one", "two"], "one\n"),
        (["…", "last"], "last\nnot last\n"),
        ([], "something\n"),
        (["HTTP/1.1 201 CREATED"], "HTTP/1.1 409 CONFLICT\n"),
    ],
)
def test_matches__a_word_a_status_or_a_line_differs__no(shown, printed):
    assert not matches(shown, printed)


def test_normalised__an_exit_code__stays():
    assert normalised("exit code 5; size 12") == "exit code 5; size N"
