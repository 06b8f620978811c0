"""Which topics hear of a record."""

from types import SimpleNamespace as Thing

from ledger.engine.listening import Listening
from ledger.engine.topics.base import Topic


class Hearing(Topic):
    def __init__(self, name, kinds, reasons, goods):
        self.name, self.kinds, self.reasons, self.goods = name, frozenset(kinds), reasons, goods


def topic(name, kinds=("movement",), reasons=None, goods=None):
    return Hearing(name, kinds, reasons, goods)


def entry(kind="movement", reason="sale"):
    return Thing(kind=kind, body={"reason": reason} if kind == "movement" else {})


def item(goods="chemical", *categories):
    return Thing(line=Thing(goods=goods), listing=Thing(categories=frozenset(categories)))


ALL = topic("all", ("movement", "place"))
SALES = topic("sales", reasons={"sale"})
KNIVES = topic("knives", goods={"knife"})
TOXIC = topic("toxic", goods={"highly_toxic"})
PLACES = topic("places", ("place",))
LISTENING = Listening([KNIVES, ALL, TOXIC, SALES, PLACES])


def names(entry, *goods):
    return [one.name for one in LISTENING.to(entry, goods)]


def test_record__of_another_kind__comes_to_those_of_its_kind():
    assert names(entry("place")) == ["all", "places"]
    assert names(entry("profile")) == []
    assert LISTENING.kinds == {"movement", "place"}


def test_movement__of_one_kind_of_goods__comes_to_those_of_its_reason_and_goods():
    assert names(entry(), item()) == ["all", "sales"]
    assert names(entry(reason="purchase"), item()) == ["all"]
    assert names(entry(), item("knife")) == ["knives", "all", "sales"]
    assert names(entry(), item("chemical", "highly_toxic")) == ["all", "toxic", "sales"]


def test_movement__of_several_kinds_of_goods__comes_to_those_of_any_once_and_in_order():
    assert names(entry(reason="loss"), item("knife"), item("chemical", "highly_toxic"), item()) == [
        "knives",
        "all",
        "toxic",
    ]


def test_movement__without_goods__comes_to_those_of_all_goods():
    assert names(entry()) == ["all", "sales"]
