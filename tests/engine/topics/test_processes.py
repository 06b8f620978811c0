"""Runs of repacking and dilution: what is compared, what is not, and in which order it may come."""

from msgspec.structs import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from ledger.engine.goods import goods_of
from ledger.engine.topics.processes import MAX_PARTS, Processes, ProcessesState
from tests.engine.helpers import HOUR, NITRIC, T0, Classifier, Run, line

KG = 1_000_000
ERRORS = {"method": "scale", "random_ppm": 3_000, "systematic_ppm": 4_000}


class Runs:
    def __init__(self):
        self.topic = Processes(ProcessesState())
        self.run = Run()
        self.rows = []

    def move(self, direction, *lines, reason="dilution", process="P", at=0, measurement=ERRORS):
        body = {"direction": direction, "reason": reason, "lines": list(lines), "measurement": measurement}
        if process:
            body["process"] = {"id": process}
        entry = self.run.entry("movement", body, at=at)
        self.rows = [row for _, row in self.topic.apply(entry, goods_of(body, Classifier()))]
        return entry

    def correct(self, before, **body):
        after = replace(before, body=before.body | body, before=before)
        goods = [goods_of(entry.body, Classifier()) for entry in (before, after)]
        self.rows = [row for _, row in self.topic.correct(before, goods[0], after, goods[1])]

    @property
    def row(self):
        (row,) = self.rows
        return row


def acid(kg, percent=None, **more):
    return line(kg, **({"concentration": str(percent)} if percent is not None else {}), **more)


def test_process__dilution__is_compared_on_the_pure_substance():
    runs = Runs()
    runs.move("out", acid(100, 60))
    assert runs.rows == []
    runs.move("in", acid(150, "39.5"))
    row = runs.row
    assert (row["process"], row["code"], row["comparable"], row["shortage"]) == ("P", NITRIC, True, True)
    assert (row["put_in"], row["came_out"], row["difference"]) == (60 * KG, 59_250_000, 750_000)
    assert row["difference_ppm"] == 12_500
    # r = 0.3 %, s = 0.4 %: together 0.5 % of sqrt(60² + 59.25²) = 84.324 kg.
    assert row["sigma"] == 421_620


def test_process__several_lines_and_records__are_added():
    runs = Runs()
    runs.move("out", acid(50, 60), acid(10, 30))
    runs.move("out", acid(50, 60))
    runs.move("in", acid(105, 60, pieces=7, packaging="sealed"))
    assert (runs.row["put_in"], runs.row["came_out"]) == (63 * KG, 63 * KG)


def test_process__sealed_packages__have_no_error_of_weighing():
    runs = Runs()
    runs.move("out", acid(100, 60, pieces=4, packaging="sealed"))
    runs.move("in", acid(100, 60, pieces=10, packaging="sealed"))
    assert runs.row["sigma"] == 0


def test_process__no_concentration_anywhere__the_net_amounts_are_compared():
    runs = Runs()
    runs.move("out", acid(100))
    runs.move("in", acid(90))
    assert (runs.row["comparable"], runs.row["difference"]) == (True, 10 * KG)


def test_process__concentration_on_some_lines_only__is_not_comparable():
    runs = Runs()
    runs.move("out", acid(100, 60))
    runs.move("in", acid(100))
    assert runs.row["comparable"] is False


def test_process__volumes__are_compared_only_at_one_concentration():
    runs = Runs()
    litres = {"quantity": {"value": "100", "unit": "LTR"}}
    runs.move("out", acid(0, 60, **litres))
    runs.move("in", acid(0, 60, **litres))
    assert (runs.row["comparable"], runs.row["difference"]) == (True, 0)
    runs.move("in", acid(0, 30, **litres))
    assert runs.row["comparable"] is False
    runs = Runs()
    runs.move("out", acid(100, 60))
    runs.move("in", acid(0, 60, **litres))
    assert runs.row["comparable"] is False


def test_process__another_code_as_product__is_a_reaction():
    runs = Runs()
    runs.move("out", acid(100, 60), reason="consumption")
    runs.move("in", acid(20, 60), line(70, code="64-17-5"), reason="production")
    assert runs.rows == []
    # Bottled beside something else is no reaction: that did not come out of the acid.
    runs = Runs()
    runs.move("out", acid(100, 60))
    runs.move("in", acid(20, 60), line(70, code="64-17-5"))
    assert runs.row["difference"] == 48 * KG


def test_process__loss_of_the_run__left_the_book_by_itself():
    runs = Runs()
    runs.move("out", acid(90, 60))
    lost = runs.move("out", acid(10, 60), reason="loss")
    runs.move("in", acid(90, 60))
    assert runs.row["difference"] == 0
    runs.correct(lost, reason="dilution")
    assert runs.row["difference"] == 6 * KG and runs.row["shortage"]


def test_process__movements_without_a_run__are_not_kept():
    runs = Runs()
    runs.move("out", acid(100, 60), process="")
    assert runs.topic._state.runs == {}


def test_process__corrected_to_another_run__is_taken_out_of_the_first():
    runs = Runs()
    runs.move("out", acid(100, 60))
    wrong = runs.move("in", acid(100, 60))
    runs.correct(wrong, process={"id": "Q"})
    # The row of the first run is taken back: there is nothing on its other side any more.
    assert (runs.row["process"], runs.row["difference"], runs.row["comparable"]) == ("P", 0, True)
    runs.move("in", acid(90, 60))
    assert runs.row["difference"] == 6 * KG


def test_process__of_too_many_kinds_of_lines__cannot_be_compared_and_says_so():
    runs = Runs()
    runs.move("in", acid(1, 60))
    for at in range(0, MAX_PARTS - 1, 64):
        runs.move("out", *[acid(1, f"{(at + n) / 100:.2f}") for n in range(64)])
    assert runs.row["comparable"] is False
    assert len(runs.topic._state.runs["A/S1/P"].parts) == MAX_PARTS


def test_process__the_same_run_for_ever__holds_one_part_for_all_lines_alike():
    runs = Runs()
    for _ in range(50):
        runs.move("out", acid(10_000_000_000, 60))
        runs.move("in", acid(9_000_000_000, 60))
    assert len(runs.topic._state.runs["A/S1/P"].parts) == 2
    assert (runs.row["put_in"], runs.row["came_out"]) == (3 * 10**17, 27 * 10**16)


def test_process__long_over__is_forgotten():
    runs = Runs()
    runs.move("out", acid(100, 60))
    runs.move("in", acid(90, 60), at=HOUR)
    runs.topic.prune(T0 + 89 * 24 * HOUR)
    assert runs.topic._state.runs
    runs.topic.prune(T0 + 91 * 24 * HOUR)
    assert runs.topic._state == ProcessesState()


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(st.booleans(), st.integers(1, 99), st.sampled_from([30, 60])), min_size=2, max_size=8),
    st.randoms(use_true_random=False),
)
def test_process__records_in_any_order_and_corrected__give_the_same_balance(parts, rng):
    def fold(order, *, wrongly):
        runs = Runs()
        for put_in, kg, percent in order:
            entry = runs.move("out" if put_in else "in", acid(kg + (5 if wrongly else 0), percent))
            if wrongly:
                runs.correct(entry, lines=[acid(kg, percent)])
        names = ("put_in", "came_out", "difference", "sigma", "comparable", "shortage")
        return [tuple(row[name] for name in names) for row in runs.rows]

    mixed = list(parts)
    rng.shuffle(mixed)
    assert fold(parts, wrongly=False) == fold(mixed, wrongly=True)
