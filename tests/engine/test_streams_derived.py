"""What is remembered of a stream's balances is what the whole series says, whatever was put right in between."""

from random import Random

import msgspec

from ledger.engine import streams
from ledger.engine.periods import PACKED, Period, Taken, pack, unpack
from ledger.engine.streams import Derived, Stream

DAY = 86_400_000


def counted(stream: Stream, at: int, rng: Random) -> None:
    stream.open = [rng.randrange(1000), rng.randrange(1000), rng.randrange(5), 0]
    streams.count(stream, Period(Taken(f"{at}", at, at * DAY, 2000, 1000, stated=True), rng.randrange(1, 5000), 0))


def same(stream: Stream, known: Derived) -> bool:
    whole = list(streams.standings(stream))
    return (
        list(known.mufs) == [one.muf for one in whole]
        and known.ys_milli() == [one.y_milli for one in whole]
        and [streams.standing(stream, known, at) for at in range(1, streams.number(stream))] == whole
    )


def test_derived__counts_and_old_balances_put_right__says_what_the_whole_series_says():
    rng = Random(5)
    for _ in range(40):
        stream, known = Stream(), Derived()
        for at in range(rng.randrange(2, 40)):
            counted(stream, at, rng)
            if at and rng.random() < 0.5:
                changed = rng.randrange(1, streams.number(stream))
                streams.to_change(stream, changed).came += 7
                known.cut(changed - 1)
            if rng.random() < 0.7:
                streams.derive(stream, known)
                assert same(stream, known)


def test_derived__long_stream__holds_two_standings_whole_and_forgets_as_the_stream_does():
    rng = Random(6)
    stream, known = Stream(), Derived()
    at = 0
    while not streams.is_long(stream):
        counted(stream, at, rng)
        at += 1
    streams.derive(stream, known)
    last = known.newest[-1]
    streams.forget(stream, known)
    assert len(known.mufs) == streams.KEEP
    assert len(known.newest) == streams.WHOLE
    assert known.newest[-1] == last
    again = msgspec.msgpack.decode(msgspec.msgpack.encode(stream), type=Stream)  # as after a restart
    assert same(again, known)


# --- old periods are packed ---------------------------------------------------------------------------------------------


def _lived(seed: int) -> tuple[Stream, list[object]]:
    """A stream of a hundred counts, with late and withdrawn moves and stock-takes, and what was asked of it."""
    rng, stream, known, said = Random(seed), Stream(), Derived(), []
    for at in range(100):
        flow = (rng.randrange(at + 1) * DAY + 5, rng.randrange(90), rng.randrange(90), rng.randrange(9), 1)
        for sign in (1, -1)[: rng.randrange(3)]:
            period = streams.add(stream, flow, sign)
            said.append(period)
            if period is not None:
                known.cut(max(period - 1, 0))
        taken = Taken(f"{at:064x}" if at % 7 else f"R{at}", at, at * DAY, 2000, 1000, stated=at % 5 > 0)
        streams.count(stream, Period(taken, rng.randrange(1, 5000), at % 3))
        if streams.is_long(stream):
            streams.derive(stream, known)
            streams.forget(stream, known)
        if at % 11 == 10:
            gone = rng.randrange(streams.number(stream))
            streams.uncount(stream, gone)
            known.cut(max(gone - 1, 0))
        streams.derive(stream, known)
        asked = rng.randrange(streams.number(stream))
        said += [
            streams.find(stream, taken.record_id),
            streams.find(stream, f"{asked:064x}"),
            msgspec.structs.replace(streams.period_at(stream, asked)),
            streams.lost_lately(stream, at * DAY + 9, rng.randrange(1, 40) * DAY),
            [*known.mufs, *known.judged, *known.ys_milli()],
        ]
    return stream, [*said, streams.held(stream), list(streams.standings(stream))]


def test_packed__any_life_of_a_stream__says_what_one_that_packs_nothing_says(monkeypatch):
    for seed in range(12):
        stream, said = _lived(seed)
        assert len(stream.periods) < streams.RECENT + PACKED
        assert len(stream.old) * PACKED + len(stream.periods) == streams.number(stream)
        with monkeypatch.context() as never:
            never.setattr(streams, "_fold", lambda _stream: None)
            plain, expected = _lived(seed)
        assert not plain.old and len(plain.periods) > 30
        assert said == expected


def test_packed__period__comes_back_as_it_was_in_less_than_half_a_kilobyte_for_five():
    periods = [
        Period(
            Taken(f"{n:064x}", 10**6 + n, 1_800_000_000_000 + n, 2000, 1000, stated=True),
            10**9,
            7,
            10**8,
            10**8,
            -5,
            -3,
        )
        for n in range(PACKED)
    ]
    assert unpack([pack(periods)]) == periods
    assert len(pack(periods)) < 512 - 33
    for name in ("", "R1", "AB" * 32, "a b", "ab" * 40):  # in 32 bytes or not, it is the same again
        odd = Period(Taken(name, 1, 2, 3, 4, stated=False), 10**18, 0)
        assert unpack([pack([odd])]) == [odd]
