"""kill -9 at drawn points of one run of the engine over the scenario: the tables are as if nothing had happened."""

from __future__ import annotations

import base64
import json
import multiprocessing
import os
import random
import shutil
import signal
import time
from collections import Counter
from pathlib import Path

import pytest

from tests.faults import enginerun, inspection
from tests.faults.enginerun import RULES, Life, Progress
from tests.faults.raw import Raw
from tests.scenario import stored

pytestmark = pytest.mark.faults

POINTS = (
    "engine.before-commit",
    "engine.after-commit",
    "engine.after-delivery",
    "append.before-commit",
    "append.committing",
    "append.after-commit",
)
AS_SHIPPED = Life(catch_up_from=200, snapshot_entries=10_000)
DIES_WITHIN_S = 300.0
ENDS_WITHIN_S = 600.0


@pytest.mark.timeout(300)
def test_engine__killed_at_20_points__tables_and_log_equal_the_uninterrupted_run(tmp_path, seed):
    _kill(tmp_path, seed, kills=20, entries=2000, scale=30)


@pytest.mark.full
@pytest.mark.timeout(7200)
def test_engine__killed_at_200_points_of_20000_entries__tables_and_log_equal_the_uninterrupted_run(tmp_path, seed):
    _kill(tmp_path, seed, kills=200, entries=20_000, scale=1)


def _kill(tmp_path: Path, seed: int, *, kills: int, entries: int, scale: int) -> None:
    print(f"HAZLEDGER_TEST_SEED={seed}")
    made, whole = tmp_path / "made", tmp_path / "whole"
    made.mkdir()
    print(stored.make(made, entries, scale=scale, rules=RULES))
    _Engine(_copied(made, whole), AS_SHIPPED).end()
    rng, done, runs = random.Random(seed), Counter[str](), 0
    while done.total() < kills:
        # Mostly one run; whatever ended before its next kill is compared too, and a new run goes on with the rest.
        runs += 1
        state = _copied(made, tmp_path / f"killed-{runs}")
        done += _strike(state, rng, kills - done.total(), _cursor(whole))
        _Engine(state, AS_SHIPPED).end()
        rows = _compare(Raw("sqlite", state), Raw("sqlite", whole))
    print(f"killed at {dict(sorted(done.items()))} in {runs} runs of {_cursor(whole):,} entries; {rows}")
    assert done.total() == kills


def _strike(state: Path, rng: random.Random, kills: int, end: int) -> Counter[str]:
    """Kill that many processes, each a stretch further on: at places in the code, at moments, and while they recover."""
    done: Counter[str] = Counter()
    for at in sorted(rng.randrange(end * 9 // 10) for _ in range(kills)):
        place = rng.choice([*POINTS, "moment", "moment", "moment", "moment", "start"])
        # Large commits only where they cannot run away to the end.
        life = Life(
            catch_up_from=200 if rng.random() < 0.3 and end - at > 3000 else 10**9,
            snapshot_entries=rng.choice([300, 2000, 10_000]),
            to_die_at=at,
        )
        print(f"  {done.total() + 1}: {place} from entry {at:,}, {life}", flush=True)
        engine = _Engine(state, life)
        if place == "start":
            engine.pass_time(rng.uniform(0.0, 0.5))
        else:
            engine.reach(at)
        if place in POINTS:
            engine.order(place, rng.randint(1, 3))
        else:
            engine.pass_time(rng.uniform(0.0, 0.03))
            engine.kill()
        if not engine.died():
            engine.withdraw(place)
            break
        done[place] += 1
    return done


def _compare(killed: Raw, whole: Raw) -> dict[str, int]:
    rows = inspection.check_same_engine(killed, whole)
    inspection.check_log(killed)
    assert min(rows[table] for table in ("alert", "outbox", "timer", "stock", "line", "life", "step")) > 0
    assert rows["alert"] == rows["outbox"] > 20
    entries = _entries(killed)
    assert entries == _entries(whole)
    said = [alert_id for alert_id, kind in entries if kind == "alert"]
    assert len(set(said)) == len(said) == rows["alert"]
    return rows


def _copied(made: Path, state: Path) -> Path:
    shutil.copytree(made, state)
    (state / "orders").mkdir()
    return state


def _cursor(state: Path) -> int:
    ((cursor,),) = Raw("sqlite", state).query("engine", "SELECT cursor FROM state")
    return cursor


class _Engine:
    """One process of the engine, forked from a server that has loaded the program already."""

    def __init__(self, state: Path, life: Life) -> None:
        self._orders = state / "orders"
        self._progress = Progress(state / "progress")
        self._progress.say(0)
        context = multiprocessing.get_context("forkserver")
        context.set_forkserver_preload(["tests.faults.enginerun"])
        self._process = context.Process(target=enginerun.run, args=(state, self._orders, life))
        self._process.start()

    def end(self) -> None:
        self._process.join(ENDS_WITHIN_S)
        assert self._process.exitcode == 0

    def reach(self, cursor: int) -> None:
        """Wait until it has committed up to there, or has nothing left to do."""
        until = time.monotonic() + ENDS_WITHIN_S
        while self._process.is_alive() and self._progress.cursor() <= cursor:
            assert time.monotonic() < until, f"not at {cursor}"
            time.sleep(0.001)

    def pass_time(self, seconds: float) -> None:
        self._process.join(seconds)

    def order(self, point: str, passing: int) -> None:
        beside = self._orders / "next.part"
        beside.write_text(str(passing))
        beside.replace(self._orders / point)

    def withdraw(self, point: str) -> None:
        (self._orders / point).unlink(missing_ok=True)

    def kill(self) -> None:
        if self._process.is_alive():
            os.kill(self._process.pid, signal.SIGKILL)

    def died(self) -> bool:
        """Of SIGKILL, and of nothing else; False when it had come to its end before."""
        self._process.join(DIES_WITHIN_S)
        code = self._process.exitcode
        assert code in (0, -signal.SIGKILL), (
            f"exit code {code}, pid {self._process.pid} at {self._progress.cursor():,}, orders {os.listdir(self._orders)}, "
            f"{_seen(self._process.pid)}"
        )
        self._process.close()
        return code != 0


def _seen(pid: int) -> str:
    """What the system says of a process that should be dead: a zombie, asleep, gone."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
        return "; ".join(line for line in lines if line.startswith(("State", "PPid", "SigQ", "ShdPnd", "SigBlk")))
    except OSError as error:
        return str(error)


def _entries(raw: Raw) -> list[tuple[str, str]]:
    """(record_id, kind) of every entry; an alert's is its alert_id, and a rule set's nonce is new in each run."""
    rows = raw.query("log", 'SELECT record_id, kind, envelope FROM entry ORDER BY "index"')
    return [
        (_alert_id(envelope) if kind == "alert" else "" if kind == "ruleset" else record_id.hex(), kind)
        for record_id, kind, envelope in rows
    ]


def _alert_id(envelope: bytes) -> str:
    return json.loads(base64.b64decode(json.loads(envelope)["payload"]))["body"]["alert_id"]
