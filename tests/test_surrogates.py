"""Surrogates in facts: one a person, found by a key, forgotten by an erasure, the same in every replay."""

import json
import secrets
import threading

import pytest
from sqlalchemy import text

from ledger.core.disclosure import digest_of, make_disclosure, make_sd
from ledger.core.ids import resident_id_for
from ledger.core.record import record_id_of
from ledger.errors import ConfigError, StoreError
from ledger.flow import submit
from ledger.model import RecordId
from ledger.ports import AppendBatch
from ledger.sequencer import Identity, Sequencer
from tests.kit import SUBMISSION, Log, document_of

ONE = resident_id_for("11010519491231002")
TWO = resident_id_for("11010519800101002")
CHILD = resident_id_for("11010520150101002")
POINTER = "/body/handlers/0/id_number"


@pytest.fixture
def log(tmp_path):
    made = Log(tmp_path)
    yield made
    made.close()


def disclosures(values):
    return [make_disclosure(name, value, secrets.token_bytes(16)) for name, value in values.items()]


def disclosing(book, values, **overrides):
    """(submission, record_id, digests) of a movement that discloses {pointer: value}."""
    shown = disclosures(values)
    payload = book.payload(_sd=make_sd(shown, secrets.token_bytes), _sd_alg="sha-256", **overrides)
    book.took(payload)
    return bundled(book.sign(payload), shown), record_id_of(payload), sorted(d.digest for d in shown)


def bundled(envelope, shown):
    return b'{"envelope":%b,"disclosures":%b}' % (envelope, json.dumps([d.text for d in shown]).encode())


def opened(log, n=1):
    book = log.enterprise(n=n)
    log.submit(book.next("stocktake"))
    return book


def row(log, receipt):
    index = receipt.receipt.index
    return log.stores.log.facts(index, index + 1).get(index)


def person(log, receipt, pointer=POINTER):
    return row(log, receipt)["ids"][pointer]["person"]


def erase(log, digests):
    return log.sequencer.append_platform("erasure", "erasures", {"digests": sorted(digests), "basis": "cn591.retention.sales"})


def test_append__disclosed_id_numbers__facts_are_kept_and_survive_erasure(log):
    values = {f"/body/handlers/{n}/id_number": number for n, number in enumerate((ONE, CHILD, ONE + "A"))}
    submission, record_id, digests = disclosing(opened(log), values)
    first = log.submit(submission)
    facts = row(log, first)
    said = [(fact["valid"], fact["minor"], fact["age_from"]) for fact in facts["ids"].values()]
    assert said == [(True, False, 18), (True, True, 0), (False, None, None)]
    assert len({fact["person"] for fact in facts["ids"].values()}) == 3
    tick = log.sequencer.tick(0)
    erase(log, digests)
    assert log.stores.log.disclosures(record_id) == ()
    assert row(log, first) == facts
    assert log.submit(submission).repeat
    assert (log.stores.log.disclosures(record_id), row(log, first)) == ((), facts)
    sealed = document_of(log.stores.log.record_by_id(tick.receipt.record_id).envelope)["body"]["facts"]
    assert sealed != "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"


def test_append__one_person_at_two_enterprises__is_one_surrogate(log):
    a, b = opened(log, 1), opened(log, 2)
    first = log.submit(disclosing(a, {POINTER: ONE, "/body/handlers/0/phone": "13800138000"})[0])
    second = log.submit(disclosing(b, {"/body/agent/id_number": f" {ONE.lower()} ", "/body/agent/phone": "+86 13800138000"})[0])
    other = log.submit(disclosing(b, {POINTER: TWO})[0])
    assert person(log, first) == person(log, second, "/body/agent/id_number")
    assert person(log, first) != person(log, other)
    assert row(log, first)["links"]["/body/handlers/0/phone"] == row(log, second)["links"]["/body/agent/phone"]


def test_append__twice_in_one_batch_and_one_record__is_one_surrogate(log):
    a, b = opened(log, 1), opened(log, 2)
    both = disclosing(a, {POINTER: ONE, "/body/handlers/1/id_number": ONE})[0]
    answers = log.batch([both, disclosing(b, {POINTER: ONE})[0], disclosing(b, {POINTER: TWO})[0]])
    persons = [person(log, answer) for answer in answers]
    assert persons[0] == persons[1] == person(log, answers[0], "/body/handlers/1/id_number")
    assert persons[2] != persons[0]


def test_append__database__holds_no_number_beside_the_disclosures_themselves(log, tmp_path):
    submission, _, digests = disclosing(opened(log), {POINTER: ONE})
    receipt = log.submit(submission)
    lookups = log.stores.log._db.rows(text("SELECT digest, surrogate FROM lookup"))
    assert [tuple(r)[1] for r in lookups] == [person(log, receipt)]
    erase(log, digests)
    files = [path.read_bytes() for path in tmp_path.iterdir() if path.name.startswith("log.db")]
    assert not any(ONE.encode() in data or lookups[0][0].encode() in data for data in files)
    assert any(lookups[0][1].encode() in data for data in files), "the facts keep the surrogate"


def test_erasure__of_all_that_was_disclosed__forgets_the_person_for_whoever_comes_again(log):
    a, b = opened(log, 1), opened(log, 2)
    (one, _, first_digests), (two, _, second_digests) = disclosing(a, {POINTER: ONE}), disclosing(b, {POINTER: ONE})
    first, second = log.submit(one), log.submit(two)
    erase(log, first_digests)
    still = log.submit(disclosing(a, {POINTER: ONE})[0])
    assert person(log, still) == person(log, first)
    third, _, third_digests = disclosing(b, {POINTER: ONE})
    log.submit(third)
    held = log.stores.log.disclosures(record_id_of_index(log, still))
    erase(log, [*second_digests, *third_digests, *map(digest_of, held)])
    assert log.stores.log.lookup_sample() is None
    again = log.submit(disclosing(a, {POINTER: ONE})[0])
    assert person(log, again) != person(log, first)
    assert person(log, first) == person(log, second)


def record_id_of_index(log, receipt) -> RecordId:
    return log.stores.log.record(receipt.receipt.index).record_id


class Gate:
    """Holds the committer at its first job, so that what is handed in meanwhile becomes one commit."""

    def __init__(self, log):
        self.log, self.open, self.reached = log, threading.Event(), threading.Event()

    def __enter__(self):
        self.thread = threading.Thread(target=self.log.sequencer._run, args=(self._wait, 0))
        self.thread.start()
        self.reached.wait(10)
        return self

    def _wait(self, _draft):
        self.reached.set()
        self.open.wait(10)

    def __exit__(self, *_):
        self.open.set()
        self.thread.join()


def in_one_commit(log, *works):
    """The answers of works that wait in this order behind one commit."""
    answers, threads = [None] * len(works), []
    with Gate(log):
        for at, work in enumerate(works):
            thread = threading.Thread(target=lambda at=at, work=work: answers.__setitem__(at, work()))
            before = log.sequencer._jobs.qsize()
            thread.start()
            while log.sequencer._jobs.qsize() == before:
                pass
            threads.append(thread)
    [thread.join() for thread in threads]
    return answers


def test_erasure__and_a_new_disclosure_in_one_commit__is_another_person(log):
    a = opened(log, 1)
    submission, _, digests = disclosing(a, {POINTER: ONE})
    first = log.submit(submission)
    _, again = in_one_commit(log, lambda: erase(log, digests), lambda: log.submit(disclosing(a, {POINTER: ONE})[0]))
    assert person(log, again) != person(log, first)
    assert person(log, log.submit(disclosing(a, {POINTER: ONE})[0])) == person(log, again)


def test_erasure__in_one_commit_with_one_before_it__the_earlier_keeps_the_person(log):
    a, b = opened(log, 1), opened(log, 2)
    submission, _, digests = disclosing(a, {POINTER: ONE})
    first = log.submit(submission)
    second, _, third = in_one_commit(
        log,
        lambda: log.submit(disclosing(b, {POINTER: ONE})[0]),
        lambda: erase(log, digests),
        lambda: log.submit(disclosing(a, {POINTER: ONE})[0]),
    )
    assert person(log, first) == person(log, second) == person(log, third)


def test_erasure__of_what_came_in_the_same_commit__leaves_no_lookup(log):
    a = opened(log, 1)
    submission, record_id, digests = disclosing(a, {POINTER: ONE})
    first, _, again = in_one_commit(
        log,
        lambda: log.submit(submission),
        lambda: erase(log, digests),
        lambda: log.submit(disclosing(a, {POINTER: TWO})[0]),
    )
    assert log.stores.log.disclosures(record_id) == ()
    assert person(log, first) and person(log, again)
    rows = log.stores.log._db.rows(text("SELECT surrogate FROM lookup"))
    assert [r[0] for r in rows] == [person(log, again)]


def test_repeat__that_brings_disclosures__gives_no_facts_but_is_found_again(log):
    """A tick may have sealed the record's facts, and the fold has read it: what comes late is kept and proves, no more."""
    a = opened(log)
    shown = disclosures({POINTER: ONE})
    payload = a.payload(_sd=make_sd(shown, secrets.token_bytes), _sd_alg="sha-256")
    a.took(payload)
    envelope = a.sign(payload)
    first = log.submit(envelope)
    log.sequencer.tick(0)
    late = log.submit(bundled(envelope, shown))
    assert late.repeat and late.receipt == first.receipt
    assert row(log, first) is None
    assert log.stores.log.disclosures(record_id_of(payload)) == (shown[0].text,)
    later = log.submit(disclosing(a, {POINTER: ONE})[0])
    assert log.stores.log.surrogates([log.stores.log.lookup_sample()[1]]) == {
        log.stores.log.lookup_sample()[1]: person(log, later)
    }
    assert len(log.stores.log.disclosed_under(log.stores.log.lookup_sample()[1])) == 2


def test_repeat__in_the_commit_of_its_first__gives_no_facts_either(log):
    a = opened(log)
    shown = disclosures({POINTER: ONE})
    payload = a.payload(_sd=make_sd(shown, secrets.token_bytes), _sd_alg="sha-256")
    envelope = a.sign(payload)
    first, late = log.batch([envelope, bundled(envelope, shown)])
    assert (first.repeat, late.repeat, row(log, first)) == (False, True, None)


def test_sequencers__two_race_for_a_new_person__give_one_surrogate(tmp_path):
    one = Log(tmp_path)
    a, b = opened(one, 1), opened(one, 2)
    two = Log(tmp_path, guard=one.guard, identity=one.identity)
    results = []

    def race(log, envelope):
        try:
            results.append(submit(envelope, SUBMISSION, log.door))
        except StoreError as error:
            results.append(error)

    work = [(one, disclosing(a, {POINTER: ONE})[0]), (two, disclosing(b, {POINTER: ONE})[0])]
    threads = [threading.Thread(target=race, args=job) for job in work]
    [thread.start() for thread in threads]
    [thread.join() for thread in threads]
    given = {fact["ids"][POINTER]["person"] for fact in one.stores.log.facts(0, 99).values()}
    assert len(given) == 1
    assert any(not isinstance(result, StoreError) for result in results)
    one.close()
    two.close()


def test_store__another_surrogate_for_a_held_value__is_refused_whole(log):
    """Should two writers ever get past the index: the primary key says no, whether or not the commit erases something."""
    receipt = log.submit(disclosing(opened(log), {POINTER: ONE})[0])
    lookup = log.stores.log.lookup_sample()[1]
    for erased in ((), ("a-digest-of-nothing",)):
        with pytest.raises(StoreError):
            log.stores.log.append(AppendBatch((), lookups=((lookup, "ab" * 16),), erased=erased))
    assert log.stores.log.surrogates([lookup]) == {lookup: person(log, receipt)}
    assert log.stores.log.is_erased(["a-digest-of-nothing"]) == set()


def test_sequencer__another_lookup_key__does_not_start(log):
    log.submit(disclosing(opened(log), {POINTER: ONE})[0])
    other = Identity(**{**{name: getattr(log.identity, name) for name in log.identity.__dataclass_fields__}, "lookup_key": b"x" * 32})
    with pytest.raises(ConfigError, match=r"keys/lookup\.key"):
        Sequencer(log.stores.log, other, log.guard, clock=log.clock, chain_head=None)
    assert "k" * 32 not in repr(log.identity)
