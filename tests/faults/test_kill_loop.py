"""One run of the really served program, killed many times under load: nothing acknowledged is lost, nothing is doubled."""

from __future__ import annotations

import time

import pytest

from tests.faults import inspection
from tests.faults.killing import Killer, plan
from tests.faults.load import Load, send_again
from tests.faults.raw import Raw
from tests.served import Served

pytestmark = [pytest.mark.chain, pytest.mark.faults]

CLIENTS = 4
PAUSE_S = 0.2
"""Of a client between two requests: a place in the code is passed many times a second all the same, and what is checked at
the end is a third of what clients without a pause make of the same kills."""
DATABASES = ["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)]


def _database(kind, request) -> str:
    if kind == "sqlite":
        return kind
    server = request.getfixturevalue("postgres")
    return server.url(server.new_database())


@pytest.mark.timeout(420)
@pytest.mark.parametrize("kind", DATABASES)
def test_kills__20_drawn_points_in_one_run__nothing_lost_nothing_doubled(kind, request, tmp_path, seed, fast_restarts):
    _run(kind, request, tmp_path, seed, 20)


@pytest.mark.full
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("kind", DATABASES)
def test_kills__200_drawn_points_in_one_run__nothing_lost_nothing_doubled(kind, request, tmp_path, seed, fast_restarts):
    _run(kind, request, tmp_path, seed, 200)


def _run(kind, request, tmp_path, seed, count) -> None:
    print(f"HAZLEDGER_TEST_SEED={seed}")
    database = _database(kind, request)
    orders = tmp_path / "orders"
    orders.mkdir()
    state = tmp_path / "s"
    with Served(state, database, environment={"HAZLEDGER_FAULTS": str(orders)}) as served:
        load = Load(served.url, served.enterprises(CLIENTS), seed, pause_s=PAUSE_S)
        killer = Killer(served, load, orders, seed)
        try:
            for target in plan(seed, count, half=int(kind != "sqlite")):
                killer.strike(target)
                assert not load.refused, load.refused[:3]
        finally:
            _finish(served, load)
        print(f"killed {dict(killer.killed)}, not reached {dict(killer.missed)}")
        print(f"{len(load.acknowledged)} acknowledged, {load.repeats} by a repeat, {load.unheard} requests unheard")
        assert not load.refused, load.refused[:3]
        assert killer.killed.total() == count - killer.missed.total()
        assert killer.missed.total() <= killer.missed["tick.after-append"] + count // 20
        assert load.unheard > 0
        before = quiesce(served)
        again = send_again(served.url, load.acknowledged)
        size = quiesce(served)  # a timer may have come due meanwhile: a tick, and what follows from it
        stop_processes(served)
        raw = Raw(database, state)
        inspection.check_acknowledged(raw, load.acknowledged, again)
        assert inspection.check_log(raw) == size
        assert inspection.kinds_from(raw, before) <= {"tick", "alert", "alert_transition"}
        checkpoints = inspection.check_checkpoints(raw, served.config.trust_path)
        here = served.installation()
        anchors = inspection.check_anchors(here, raw)
        alerts = inspection.check_engine(here, raw, tmp_path / "fresh", size)
        here.stores.close()
        verdict = inspection.check_audit(state, tmp_path / "tiles", served.service.rpc_url)
        print(f"{size} entries, {checkpoints} checkpoints, {anchors} anchors, {alerts} alerts; {verdict}")
        assert alerts > 0 and anchors > 0


def _finish(served, load) -> None:
    """The clients may need processes that are started again meanwhile."""
    import threading

    stopper = threading.Thread(target=load.stop)
    stopper.start()
    while stopper.is_alive():
        served.service.watch()
        time.sleep(0.05)


def quiesce(served: Served, within_s: float = 60.0, catching_up_s: float = 900.0) -> int:
    """Wait until everything is folded, delivered, signed and anchored, and nothing more comes; the size.

    A slow machine's engine may first have a backlog of the whole run; only when it has none does `within_s` begin.
    """
    here = served.installation()
    log, engine, anchor = here.stores.log, here.stores.engine, here.stores.anchor
    since = [0.0, -1]

    def still() -> bool:
        size = log.size()
        checkpoint, newest = log.latest_checkpoint(), anchor.latest_anchor()
        well = engine.cursor() == size and not engine.outbox_pending(1)
        well = well and checkpoint is not None and newest is not None and checkpoint.size == newest.size == size
        if not well or since[1] != size:
            since[:] = [time.monotonic(), size if well else -1]
        return well and time.monotonic() - since[0] > 1.5

    served.wait_for(lambda: engine.cursor() >= log.size() - 1000, catching_up_s, "the engine to catch up")
    served.wait_for(still, within_s, "quiescence")
    size = int(log.size())
    here.stores.close()
    return size


def stop_processes(served: Served, names=("web", "engine", "anchor", "sequencer")) -> None:
    """End them in order; the chain goes on."""
    for name in names:
        child = served.service._children[name]
        child.popen.terminate()
        assert child.popen.wait(20) in (0, -15)
