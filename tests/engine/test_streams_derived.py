"""What is remembered of a stream's balances is what the whole series says, whatever was put right in between."""

from random import Random

import msgspec

from ledger.engine import streams
from ledger.engine.streams import Derived, Period, Stream, Taken

DAY = 86_400_000


def counted(stream: Stream, at: int, rng: Random) -> None:
    stream.open = [rng.randrange(1000), rng.randrange(1000), rng.randrange(5), 0]
    streams.count(stream, Period(Taken(f"{at}", at, at * DAY, 2000, 1000, stated=True), rng.randrange(1, 5000), 0))


def same(stream: Stream, known: Derived) -> bool:
    whole = list(streams.standings(stream))
    return (
        list(known.mufs) == [one.muf for one in whole]
        and known.ys_milli() == [one.y_milli for one in whole]
        and [streams.standing(stream, known, at) for at in range(1, len(stream.periods))] == whole
    )


def test_derived__counts_and_old_balances_put_right__says_what_the_whole_series_says():
    rng = Random(5)
    for _ in range(40):
        stream, known = Stream(), Derived()
        for at in range(rng.randrange(2, 14)):
            counted(stream, at, rng)
            if at and rng.random() < 0.5:
                changed = rng.randrange(1, len(stream.periods))
                stream.periods[changed].came += 7
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
