"""A clock that jumps pauses ticks, over restarts, until somebody confirms."""

import pytest

from ledger.adapters.clockpause import ClockPauseFile
from ledger.clockwatch import JUMP_MS, ClockWatch
from ledger.sequencer import Sequencer
from tests.kit import Log
from tests.test_rule_versions import A, MINUTE, World, level, rules


class Clocks:
    def __init__(self):
        self.wall, self.steady = 1_800_000_000_000, 50.0

    def go_on(self, seconds, jump_ms=0):
        self.steady += seconds
        self.wall += round(seconds * 1000) + jump_ms


def watch(pause, clocks, last_received=0):
    return ClockWatch(pause, clock=lambda: clocks.wall, steady_s=lambda: clocks.steady, last_received=last_received)


@pytest.fixture
def pause(tmp_path):
    return ClockPauseFile(tmp_path / "guard" / "clock-jump.json")


def test_jump__hours_without_a_look__is_none(pause):
    clocks = Clocks()
    watched = watch(pause, clocks)
    clocks.go_on(40_000)
    assert watched.jump() is None


@pytest.mark.parametrize("by", [JUMP_MS + 1, -JUMP_MS - 1])
def test_jump__more_than_five_minutes_either_way__stays_until_confirmed(pause, by):
    clocks = Clocks()
    watched = watch(pause, clocks)
    clocks.go_on(10, by)
    jump = watched.jump()
    assert jump["after_ms"] - jump["before_ms"] == by
    clocks.go_on(100)
    assert watched.jump() == jump
    assert watch(pause, clocks).jump() == jump
    pause.clear()
    assert watched.jump() is None and watch(pause, clocks).jump() is None


def test_jump__five_minutes_exactly__is_none(pause):
    clocks = Clocks()
    watched = watch(pause, clocks)
    clocks.go_on(1, JUMP_MS)
    assert watched.jump() is None


def test_jump__slow_drift__is_none(pause):
    clocks = Clocks()
    watched = watch(pause, clocks)
    for _ in range(100):
        clocks.go_on(60, 10_000)
        assert watched.jump() is None


def test_jump__set_back_while_nothing_ran__is_seen_by_the_log(pause):
    clocks = Clocks()
    assert watch(pause, clocks, last_received=clocks.wall + JUMP_MS + 1).jump() is not None


def test_jump__file_that_does_not_parse__pauses(pause, tmp_path):
    pause.write({"before_ms": 1, "after_ms": 2})
    (tmp_path / "guard" / "clock-jump.json").write_text("{")
    assert watch(pause, Clocks()).jump() == {}


def test_tick__after_a_jump__none_until_confirmed(tmp_path):
    log, steady = Log(tmp_path / "state"), [0.0]
    log.sequencer.close()
    pause = ClockPauseFile(tmp_path / "state" / "jump.json")
    watched = ClockWatch(pause, clock=log.clock, steady_s=lambda: steady[0], last_received=0)
    log.clock.now += 3_600_000
    steady[0] += 3600
    sequencer = Sequencer(log.stores.log, log.identity, log.guard, clock=log.clock, chain_head=None, clock_watch=watched)
    assert sequencer.tick(0) is not None
    log.clock.now += 7_200_000
    assert sequencer.tick(0) is None and sequencer.status()["clock_jump"]
    pause.clear()
    assert sequencer.tick(0) is not None and sequencer.status()["clock_jump"] is None
    sequencer.close()


def test_engine__ticks_pause__is_visible_and_no_deadline_passes():
    world = World(rules(level(wait="1h")))
    world.put(A, 200)
    world.run()
    world.appender.clock_jump = {"before_ms": 1, "after_ms": 2}
    world.now += 300 * MINUTE
    world.seconds += 10
    world.run()
    assert world.store.health_rows["CLOCK"].state == "error" and not world.said("X-FULL")
    world.appender.clock_jump = None
    world.seconds += 10
    world.run()
    world.run()
    assert world.store.health_rows["CLOCK"].state == "ok" and world.said("X-FULL")
    world.check_replay()
