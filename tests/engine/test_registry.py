"""Topics and subjects are listed in two places that have to agree, and by names that have to differ."""

import re
from collections import Counter
from pathlib import Path

from ledger import engine
from ledger.catalogue.restricted import example_sets
from ledger.engine.register import Register
from ledger.engine.registry import NEEDS, SUBJECTS, TOPICS, build_topics
from ledger.engine.state import FoldState


def test_topics__built__are_those_that_are_listed_in_their_order():
    state = FoldState()
    assert tuple(map(type, build_topics(state, Register(state.register), example_sets(), {}))) == TOPICS
    assert {*NEEDS, *(needed for several in NEEDS.values() for needed in several)} <= set(TOPICS)


def test_subjects__of_all_topics__no_two_bear_one_name():
    named = Counter(subject.name for topic in TOPICS for subject in topic.subjects)
    assert named.most_common(1)[0][1] == 1 and set(named) == set(SUBJECTS)


def test_map__every_module_of_the_engine__is_named_in_its_docstring_and_none_that_is_gone():
    there = {
        path.stem for path in Path(engine.__file__).parent.iterdir() if path.stem not in ("__init__", "__pycache__")
    }
    named = set(re.findall(r"`([a-z]+)`", engine.__doc__)) - {"version"}
    assert named == there
