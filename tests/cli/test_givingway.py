"""The engine stands aside for records that come in, and never for long."""

import subprocess
import sys
import time

from ledger.cli.givingway import LOOK_EVERY_S, LOOKS, PATIENCE_S, GivingWay, others_running
from ledger.evaluate import LAG_ENTRIES

FAR = LAG_ENTRIES + 1


class Machine:
    """Time passes only in pauses. `running` is how many others want one of the two processors."""

    def __init__(self, running=lambda _now_s: 4, stops_at_s=float("inf")):
        self.now_s = 100.0
        self.stops_at_s = stops_at_s
        self.way = GivingWay(
            self.pause, running=lambda: running(self.now_s - 100.0), processors=2, clock_s=lambda: self.now_s
        )

    def pause(self, seconds):
        self.now_s += seconds
        return self.now_s >= 100.0 + self.stops_at_s

    def waited(self, behind):
        before = self.now_s
        self.way(behind)
        return round(self.now_s - before, 6)


def test_giving_way__live_load_on_a_full_machine__never_waits():
    machine = Machine()
    assert [machine.waited(behind) for behind in (0, 1, 50, LAG_ENTRIES)] == [0.0] * 4


def test_giving_way__far_behind_on_a_full_machine__waits_its_patience_once_until_it_has_caught_up():
    machine = Machine()
    first = machine.waited(FAR)
    assert PATIENCE_S <= first < PATIENCE_S + LOOKS * LOOK_EVERY_S
    assert machine.waited(FAR) == 0.0
    machine.now_s += 3600  # a flood of an hour is shared with, not given way to again and again
    assert machine.waited(FAR + 100_000) == 0.0
    assert machine.waited(LAG_ENTRIES) == 0.0
    assert machine.waited(FAR) >= PATIENCE_S


def test_giving_way__turns_between_waits__patience_is_one_for_all_of_them():
    machine = Machine(running=lambda now_s: 1 if now_s < 1.0 else 4)
    waits = [machine.waited(FAR)]
    while waits[-1] > 0.0:
        machine.now_s += 0.5  # a turn
        waits.append(machine.waited(FAR))
    assert len(waits) > 2
    assert sum(waits) < PATIENCE_S


def test_giving_way__far_behind_with_room_on_the_machine__looks_and_goes_on():
    assert Machine(running=lambda _now_s: 1).waited(FAR) == LOOKS * LOOK_EVERY_S


def test_giving_way__others_wait_for_the_disk_now_and_then__still_a_full_machine():
    moments = iter(range(100_000))
    machine = Machine(running=lambda _now_s: 0 if next(moments) % LOOKS == 0 else 3)
    assert machine.waited(FAR) >= PATIENCE_S


def test_giving_way__the_flood_ends__goes_on_at_once():
    machine = Machine(running=lambda now_s: 4 if now_s < 2.0 else 0)
    assert 2.0 <= machine.waited(FAR) <= 2.0 + 2 * LOOKS * LOOK_EVERY_S


def test_giving_way__told_to_stop__does_not_finish_its_wait():
    assert Machine(stops_at_s=0.5).waited(FAR) <= 0.5 + LOOK_EVERY_S


def test_giving_way__kernel_that_does_not_say__does_not_wait():
    assert Machine(running=lambda _now_s: None).waited(FAR) == LOOK_EVERY_S


def test_others_running__file_of_the_kernel__does_not_count_the_one_who_asks(tmp_path):
    path = tmp_path / "loadavg"
    path.write_text("1.25 2.13 1.97 4/123 4567\n")
    assert others_running(path) == 3
    path.write_text("0.00 0.00 0.00 0/1 1\n")
    assert others_running(path) == 0
    path.write_text("nothing\n")
    assert others_running(path) is None
    assert others_running(tmp_path / "none") is None


def test_others_running__three_that_never_rest__are_seen():
    busy = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(3)]
    try:
        until_s = time.monotonic() + 20
        while (seen := others_running() or 0) < 3 and time.monotonic() < until_s:
            time.sleep(0.05)
    finally:
        for process in busy:
            process.kill()
            process.wait()
    assert seen >= 3
