"""A random life: anchors, grants, revocations, dumps, kills, torn and lost dumps. What was final stays as it was."""

from __future__ import annotations

import random

import pytest

from ledger.core.grants import unpack_word
from ledger.model import TreeSize
from tests.adapters.chain.conftest import HOLDER, TREE, Anvil, grow, keyid

pytestmark = [pytest.mark.chain, pytest.mark.faults]

STEPS = 60


@pytest.mark.parametrize("seed", range(4))
def test_life__at_random__every_root_and_word_as_first_seen(anvil: Anvil, seed: int) -> None:
    dice = random.Random(seed)
    chain, authority = anvil.chain(), anvil.authority()
    roots: dict[int, tuple[bytes, int]] = {}
    words: dict[bytes, bytes] = {}
    size = enrolled = 0
    for _ in range(STEPS):
        step = dice.choice(["anchor"] * 3 + ["enrol"] * 3 + ["revoke", "dump", "kill", "lose", "tear", "new process"])
        if step == "anchor":
            grown = size + dice.randint(1, 40)
            chain.recover()  # As the anchor worker does: first make good, then prove from the head that is there.
            anchor = grow(chain, size, grown)
            roots[grown], size = (anchor.root, anchor.block.number), grown
        elif step == "enrol":
            enrolled += 1
            g, at = authority.enrol(keyid(enrolled), HOLDER, "S1/", 1)
            (words[g],) = chain.grant_words([g])
            assert at == size
        elif step == "revoke" and words:
            g = dice.choice(sorted(words))
            revoked_at = unpack_word(words[g])[2]
            if revoked_at > 1:
                authority.revoke(g, TreeSize(dice.randrange(min(revoked_at, 500))))
                (words[g],) = chain.grant_words([g])
        elif step == "dump":
            anvil.node.dump()
        elif step == "new process":
            chain, authority = anvil.chain(), anvil.authority()
        elif step in ("kill", "lose", "tear"):
            anvil.node.kill()
            dumps = anvil.dumps()
            if step == "lose":
                anvil.forget_dumps()
            elif step == "tear" and dumps:
                newest = dumps[-1]
                newest.write_bytes(newest.read_bytes()[: dice.randrange(newest.stat().st_size)])
            anvil.node.start()
    chain.recover()
    chain.check_identity()
    assert chain.head().size == size
    assert chain.grant_words(list(words)) == list(words.values())
    for anchored, (root, block) in roots.items():
        stored = chain.root_at(TreeSize(anchored))
        assert stored is not None
        assert (stored[0], stored[2]) == (root, block)
        assert root == TREE.head(anchored).root
