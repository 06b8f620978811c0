"""PostgreSQL itself fails under the running service: every connection cut, a backend killed, the server restarted in recovery."""

from __future__ import annotations

import os
import signal

import pytest

from tests.faults import inspection
from tests.faults.load import Load, send_again
from tests.faults.raw import Raw
from tests.faults.test_kill_loop import _finish, quiesce, stop_processes
from tests.served import Served

pytestmark = [pytest.mark.chain, pytest.mark.faults, pytest.mark.postgres]


@pytest.mark.timeout(240)
def test_database__connections_cut_and_a_backend_killed__nothing_lost_nothing_doubled(postgres, tmp_path, seed, fast_restarts):
    """Cut: each client's session ends, with it the advisory locks. Killed: the server ends all and recovers from its WAL."""
    database = postgres.url(name := postgres.new_database())
    with Served(tmp_path / "s", database) as served:
        load = Load(served.url, served.enterprises(3), seed)
        try:
            for how in ("cut", "killed", "cut"):
                before = len(load.acknowledged)
                served.wait_for(lambda: len(load.acknowledged) > before + 50, 30, "records taken")
                _cut(postgres, name) if how == "cut" else _kill_a_backend(postgres, name)
                before = len(load.acknowledged)
                served.wait_for(lambda: len(load.acknowledged) > before + 50, 60, f"records taken after {how}")
        finally:
            _finish(served, load)
        assert not load.refused, load.refused[:3]
        size = quiesce(served)
        again = send_again(served.url, load.acknowledged)
        stop_processes(served)
        raw = Raw(database, served.state)
        inspection.check_acknowledged(raw, load.acknowledged, again)
        assert inspection.check_log(raw) == size
        inspection.check_checkpoints(raw, served.config.trust_path)
        inspection.check_audit(served.state, tmp_path / "tiles", served.service.rpc_url)


def _backends(postgres, name) -> list[int]:
    with postgres.connect() as connection:
        rows = connection.execute(
            "SELECT pid FROM pg_stat_activity WHERE datname = %s AND application_name LIKE 'hazledger%%'", (name,)
        ).fetchall()
    return [row[0] for row in rows]


def _cut(postgres, name) -> None:
    with postgres.connect() as connection:
        for pid in _backends(postgres, name):
            connection.execute("SELECT pg_terminate_backend(%s)", (pid,))


def _kill_a_backend(postgres, name) -> None:
    os.kill(_backends(postgres, name)[0], signal.SIGKILL)
