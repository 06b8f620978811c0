"""Family D: filings, closes, chains, times, corrections, bursts, silences, attachments."""

from __future__ import annotations

from typing import Any

from tests.scenario import clock
from tests.scenario import goods as g
from tests.scenario.clock import DAY, HOUR, MINUTE
from tests.scenario.opening import profile
from tests.scenario.plants.papers import buy_outside
from tests.scenario.plants.scene import ALONE, SHARED, Case, Scene, near, planted

# --- D01, D02 --------------------------------------------------------------------------------------------------------


def _files_on(day: int | None):
    """A purchase filed on the so-manieth day after it, or never."""

    def play(scene: Scene) -> None:
        store = scene.store(g.NITRIC_DRUM, capacity=60, opening=20)
        first = scene.workday(1)
        act = scene.at(first, 10)
        label = scene.label(act, scene.at(first + 8, 0))

        def buy(ms: int) -> None:
            came = buy_outside(scene, store, 6, ms, file_after=-1)
            label.where["record"] = came.record_id
            if day is not None:
                scene.do(scene.at(first + day, 20), lambda at: _file(scene, came, at))

        scene.do(act, buy)

    return play


def _file(scene: Scene, came: Any, ms: int) -> None:
    body = {
        "consignment": came.body["consignment"],
        "date": clock.day_text(clock.day_of(ms)),
        "regime": "decree591",
        "authority": "county-police",
        "records": [came.record_id],
    }
    scene.owner.office.write("filing", body, ms, scene.owner.received(ms))


def _closes(*, late_h: float | None):
    """One evening's close comes so many hours after midnight, or never."""

    def play(scene: Scene) -> None:
        store = scene.store(g.ETHANOL_DRUM, capacity=60, opening=20, count_days=28)
        day = scene.day + scene.workday(1)
        store.unclosed.add(day)
        ends = clock.day_start(day + 1)
        if late_h is not None:

            def late(ms: int) -> None:
                store.unclosed.discard(day)
                store.close(day, ms)

            scene.do(ends + round(late_h * HOUR), late)
        # The next evening's close ends it.
        scene.in_book(store, ends, ends + 20 * HOUR)

    return play


# --- D03, D04 --------------------------------------------------------------------------------------------------------


def _refused(code: str, *, ahead: int = 2, mended_m: float | None = None):
    """The log refused a record of this book; `ahead` of the next number."""

    def play(scene: Scene) -> None:
        store = scene.store(g.ETHANOL_DRUM, capacity=60, opening=20, count_days=28)
        act = scene.at(scene.workday(1), 10)
        refusals = scene.world.officials.desk("platform.county", f"r-{scene.owner.holder}-{store.id}")

        def refuse(ms: int) -> None:
            body = {
                "record_id": f"{scene.rng.getrandbits(256):064x}",
                "holder": scene.owner.holder,
                "site": store.desk.site,
                "book": store.desk.book,
                "seq": store.desk.seq + (ahead if code == "seq-gap" else 0),
                "code": code,
                "status": 409,
            }
            refusals.write("refusal", body, ms, ms)

        scene.do(act - HOUR, lambda ms: store.move("out", "consumption", 1, ms))
        scene.do(act, refuse)
        if mended_m is not None:
            for n in range(ahead):
                at = act + round(mended_m * MINUTE) + n * 5000
                scene.do(at, lambda ms: store.move("out", "consumption", 1, ms, received_ms=ms + 1000))
        scene.in_book(store, act, act + HOUR)

    return play


# --- D05, D06, D07 ---------------------------------------------------------------------------------------------------


def _late(hours: float):
    """A movement recorded so many hours after it happened; negative: dated ahead."""

    def play(scene: Scene) -> None:
        store = scene.store(g.ETHANOL_DRUM, capacity=60, opening=20, count_days=28)
        day = scene.workday(1)
        act = scene.at(day, 16.0) + round(max(hours, 0) * HOUR)
        scene.do(
            act,
            lambda ms: store.move("out", "consumption", 1, ms - round(hours * HOUR), received_ms=ms + 3000),
        )
        scene.in_book(store, act, act + HOUR)

    return play


def _corrects(movements: int, corrections: int, *, days: int):
    """So many movements over so many working days, so many of them corrected an hour later."""

    def play(scene: Scene) -> None:
        store = scene.store(g.ETHANOL_DRUM, capacity=900, opening=600, count_days=28)
        act = 0
        every = movements // corrections if corrections else 0
        for n in range(movements):
            act = scene.at(scene.workday(1 + n * days // movements), 8.5 + 0.1 * (n * 7 % 60))

            def out(ms: int, wrong: bool = bool(every) and n % every == every - 1) -> None:
                was = store.move("out", "consumption", 2, ms)
                if wrong:
                    store.correct(was, 1, ms + 20 * MINUTE)

            scene.do(act, out)
        scene.label(scene.at(1, 0), act + 10 * HOUR)

    return play


def _after_notice(age_days: int):
    """An order comes; the next day a movement of so many days ago is corrected."""

    def play(scene: Scene) -> None:
        store = scene.store(g.ETHANOL_DRUM, capacity=60, opening=30, count_days=28)
        moved = scene.at(scene.workday(1), 10)
        notice = moved + age_days * DAY
        act = notice + 20 * HOUR
        kept: dict[str, Any] = {}
        scene.do(moved, lambda ms: kept.update(was=store.move("out", "consumption", 3, ms)))
        inspections = scene.world.officials.desk("police.county", f"i-{scene.owner.holder}")
        body = {
            "holder": scene.owner.holder,
            "site": "S1",
            "started_at": clock.local_text(notice),
            "inspectors": [{"ref": "O1"}, {"ref": "O2"}],
            "findings": [],
        }
        scene.do(notice, lambda ms: inspections.write("inspection", body, ms, ms))
        scene.do(act, lambda ms: store.correct(kept["was"], 2, ms))
        scene.label(act, act + HOUR)

    return play


def _burst(records: int, span_h: float, *, registered: bool = False):
    """So many records, of the last hours, all sent within forty seconds."""

    def play(scene: Scene) -> None:
        store = scene.store(g.ETHANOL_DRUM, capacity=200, opening=150, count_days=28)
        if registered:
            window = [{"days": [1, 2, 3, 4, 5, 6, 7], "from": "00:00", "to": "00:00"}]
            scene.do(scene.at(0, 9), lambda ms: profile(scene.owner, ms, upload_windows=window))
        act = scene.at(scene.workday(1), 16) + round(span_h * HOUR)
        # Nothing else is written in between, so that the late ones do not hold it up.
        store.closes = False

        def send(ms: int) -> None:
            store.closes = True
            for n in range(records):
                event = ms - round(span_h * HOUR * (records - 1 - n) / max(records - 1, 1))
                store.move("out", "consumption", 1, event, received_ms=ms + n * 1500)

        scene.do(act, send)
        scene.in_book(store, act, act + HOUR)

    return play


# --- D08, D09 --------------------------------------------------------------------------------------------------------


def _silent(days: int):
    """Daily movements for two weeks; then nothing for so many days while goods lie there."""

    def play(scene: Scene) -> None:
        store = scene.store(g.ETHANOL_DRUM, capacity=200, opening=100, count_days=28)
        last = 0
        for n in range(10):
            last = scene.at(scene.workday(1 + n), 10)
            scene.do(last, lambda ms: store.move("out", "consumption", 2, ms))
        again = last + days * DAY
        scene.do(again, lambda ms: store.move("out", "consumption", 2, ms))
        scene.in_book(store, last, again + HOUR)

    return play


def _attachments(missing: int):
    """The platform looks for the attachments of this enterprise's records; what is missing is there again two days later, so that
    the next case finds nothing said.
    """

    def play(scene: Scene) -> None:
        act = scene.at(1, 3)
        scrubs = scene.world.officials.desk("platform.county", f"s-{scene.name}")
        lost = [f"{scene.rng.getrandbits(256):064x}" for _ in range(missing)]

        def look(ms: int, gone: list[str]) -> None:
            there = {"checked": 400, "present": 400 - len(gone), "missing": gone, "missing_total": len(gone)}
            scrubs.write("scrub", there, ms, ms)

        scene.do(act, lambda ms: look(ms, lost))
        if lost:
            scene.do(act + 2 * DAY, lambda ms: look(ms, []))
        scene.label(act, act + HOUR, book=scrubs.book)

    return play


CASES: tuple[Case, ...] = (
    planted("D01-week", "D01", "filed on the seventh day", _files_on(7), days=12, severity="high"),
    planted("D01-never", "D01", "never filed", _files_on(None), days=12, severity="high"),
    near("D01-fifth", "D01", "filed on the evening of the fifth day", _files_on(5), days=12),
    near("D01-second", "D01", "filed on the second day", _files_on(2), days=12),
    planted("D02-missing", "D02", "no close for a day", _closes(late_h=None), days=6, severity="medium"),
    planted("D02-late", "D02", "a day is closed at three in the night", _closes(late_h=3.0), days=6, severity="medium"),
    near("D02-half", "D02", "a day is closed at half past one in the night", _closes(late_h=1.5), days=6),
    near("D02-ten", "D02", "a day is closed ten minutes after midnight", _closes(late_h=0.17), days=6),
    planted("D03-gap", "D03", "records before this one never came", _refused("seq-gap"), severity="critical"),
    planted(
        "D03-prev",
        "D03",
        "a record that does not name the one before it",
        _refused("prev-mismatch"),
        severity="critical",
    ),
    near("D03-schema", "D03", "a record of the wrong form was refused", _refused("schema")),
    near("D03-fork", "D03", "a second record at one place is another rule's", _refused("fork"), also=("D04",)),
    planted("D04-fork", "D04", "two records at one place", _refused("fork"), severity="critical"),
    near("D04-gap", "D04", "a gap that is filled in five minutes", _refused("seq-gap", mended_m=5), also=("D03",)),
    near("D04-schema", "D04", "a record of the wrong form was refused", _refused("schema")),
    planted("D05-day", "D05", "recorded 30 hours later", _late(30), days=6, severity="medium"),
    planted("D05-week", "D05", "recorded 130 hours later", _late(130), days=9, severity="high"),
    planted("D05-ahead", "D05", "dated twenty minutes ahead", _late(-20 / 60), severity="medium"),
    near("D05-night", "D05", "recorded 17 hours later", _late(17), days=6, times=5),
    near("D05-clock", "D05", "a clock eight minutes ahead", _late(-8 / 60), times=4),
    planted(
        "D06-many", "D06", "a fourth of eighty movements corrected", _corrects(80, 20, days=16), days=26, stage=ALONE
    ),
    planted(
        "D06-notice",
        "D06",
        "an old movement corrected the day after an inspection",
        _after_notice(6),
        days=12,
        stage=ALONE,
    ),
    near("D06-few", "D06", "one of eighty movements corrected", _corrects(80, 1, days=16), days=26, stage=ALONE),
    near(
        "D06-slip",
        "D06",
        "a slip of the day before corrected after an inspection",
        _after_notice(1),
        days=7,
        stage=ALONE,
    ),
    planted(
        "D07-burst",
        "D07",
        "26 records of 27 hours within forty seconds",
        _burst(26, 27),
        days=5,
        also=("D02", "D05", "B06"),
    ),
    near(
        "D07-short",
        "D07",
        "26 records of 20 hours within forty seconds",
        _burst(26, 20),
        days=5,
        also=("D02", "D05", "B06"),
    ),
    near(
        "D07-batch",
        "D07",
        "the same from an enterprise that registered a window for batches",
        _burst(26, 27, registered=True),
        days=5,
        stage=ALONE,
        also=("D02", "D05", "B06"),
    ),
    planted("D08-weeks", "D08", "silent for twenty days after daily movements", _silent(20), days=50, times=2),
    near("D08-days", "D08", "silent for twelve days", _silent(12), days=42, times=2),
    planted("D09-lost", "D09", "three attachments are gone", _attachments(3), stage=SHARED),
    near("D09-there", "D09", "all attachments are there", _attachments(0), stage=SHARED),
)
