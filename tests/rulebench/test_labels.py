"""What is said around a rule's own texts: both languages hold the same places, so that neither loses a value."""

from string import Formatter

from ledger.rulebench.labels import _LABELS, VERDICTS, in_words


def places(text):
    return {name for _, name, _, _ in Formatter().parse(text) if name}


def test_labels__both_languages__hold_the_same_values():
    for name, (zh, en) in _LABELS.items():
        assert places(zh) == places(en), name
        assert zh and en and zh != en, name


def test_verdicts__each__a_sentence_of_its_own_in_both_languages():
    for language in ("zh", "en"):
        said = [in_words(verdict)[language] for verdict in VERDICTS]
        assert all(said) and len(set(said)) == len(VERDICTS)
