"""The tamper table on PostgreSQL: a drawn part of it in the default run, every column with --full."""

from __future__ import annotations

import random
import shutil

import pytest

from ledger.adapters.store.schema import all_columns
from ledger.cli.refold import refolding
from tests.faults import installation, tampering
from tests.faults.conftest import SEED
from tests.faults.raw import raw_of
from tests.faults.test_kill_loop import stop_processes
from tests.faults.test_tamper import Folds, _audit, altered_column
from tests.served import Served

pytestmark = [pytest.mark.chain, pytest.mark.faults, pytest.mark.postgres]

DRAWN = 20


@pytest.fixture(scope="module")
def installed(postgres, tmp_path_factory):
    """As on SQLite: everything in it, its processes ended, its chain still there."""
    state = tmp_path_factory.mktemp("tamper") / "s"
    name = postgres.new_database()
    with (
        pytest.MonkeyPatch.context() as patch,
        Served(state, postgres.url(name), names=("sequencer", "anchor", "web")) as served,
    ):
        installation.fill(served, patch)
        stop_processes(served, ("web", "anchor", "sequencer"))
        served.database = name
        with Folds() as served.folds:
            yield served


@pytest.fixture
def copy(installed, postgres, tmp_path):
    """A copy to alter: the state directory, and the database from that one as its template."""
    state = tmp_path / "s"
    shutil.copytree(installed.state, state, ignore=shutil.ignore_patterns("chain", "run", "locks"))
    name = postgres.new_database(installed.database)
    settings = state / "hazledger.toml"
    settings.write_text(settings.read_text().replace(postgres.url(installed.database), postgres.url(name)))
    assert raw_of(state).query("log", "SELECT current_database()") == [(name,)]
    yield state
    postgres.drop(name)


def drawn() -> list:
    """In the drawn part: every kind of check, and columns of every store; the others only with --full."""
    order = sorted(all_columns())
    random.Random(SEED).shuffle(order)
    by_check: dict = {}
    for at in order:
        case = tampering.CASES.get(at[:2], {}).get(at[2])
        by_check.setdefault((at[0], case and case.check), []).append(at)
    first = [columns[0] for columns in by_check.values()]
    chosen = {*first, *[at for at in order if at not in first][: max(0, DRAWN - len(first))]}
    return [
        pytest.param(*at, id="-".join(at), marks=() if at in chosen else pytest.mark.full) for at in all_columns()
    ]


def test_untouched__nothing_is_found(installed):
    report = _audit(installed.state, installed.service.rpc_url, fold=refolding)
    assert report.total == 0, [f.line() for f in report.findings]
    assert not report.skipped and not report.unreachable


@pytest.mark.parametrize(("store", "table", "column"), drawn())
def test_column__altered__is_found_by_its_check_or_is_no_evidence(installed, copy, tmp_path, store, table, column):
    altered_column(installed, copy, tmp_path, store, table, column)
