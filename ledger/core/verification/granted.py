"""Grants as a log states them in its own `grant` entries, and their proof from contract storage (check 4 of an audit).

Without a chain the log's word is all there is: it must then at least be consistent with itself and with the trust
file's authorities. With a chain every word is compared with the registry's.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from ledger.core.grants import covers, follows, grant_id, pack_word, unpack_word
from ledger.core.keys import load_public_key
from ledger.core.trust import TrustFile
from ledger.core.verification.checks import check_grant_word
from ledger.core.verification.leaves import AuditFinding, record_spki
from ledger.core.verification.tile import Use
from ledger.errors import GrantError
from ledger.model import NEVER, Role


@dataclass(slots=True)
class StatedGrant:
    """A grant as its newest entry states it. `first_used` and `last_used` are indices of records it covers."""

    g: bytes
    keyid: str
    holder: str
    scope: str
    role: Role
    enroller: str
    enrolled_at: int
    revoked_at: int
    index: int
    record_id: str
    last_used: int = -1

    def word(self) -> bytes:
        """The registry's word, if the statement is true."""
        return pack_word(self.enroller, self.enrolled_at, self.revoked_at)


class _Wanted(NamedTuple):
    """A Use by its members' names."""

    keyid: str
    holder: str
    site: str
    book: str
    kind: str
    is_authority: bool


class GrantBook:
    """Every grant that the log has stated so far. Grows with the number of grants only."""

    def __init__(self, trust: TrustFile) -> None:
        self._origin = trust.origin
        self._authorities = tuple({address for chain in trust.chains for address in chain.authorities})
        self._by_g: dict[bytes, StatedGrant] = {}
        self._by_keyid: dict[str, list[StatedGrant]] = {}
        self._candidates: dict[Use, list[StatedGrant]] = {}
        self.keys: dict[str, bytes] = {}
        """SPKI by keyid, for the workers."""

    def __len__(self) -> int:
        return len(self._by_g)

    def ids(self) -> list[bytes]:
        """Every g, in the order of first statement."""
        return list(self._by_g)

    def add(self, index: int, record_id: str, body: dict[str, Any]) -> list[AuditFinding]:
        """Take in a `grant` entry's body; what is wrong with it."""

        def wrong(detail: str) -> list[AuditFinding]:
            return [AuditFinding(index, record_id, 4, "bad-grant", f"grant entry: {detail}")]

        try:
            key = load_public_key(record_spki(body))
        except ValueError as error:
            return wrong(str(error))
        if key.keyid != body["keyid"]:
            return wrong("SHA-256 of the SPKI is not the keyid")
        role, revoked_at = Role(body["role"]), NEVER if body["revoked_at"] is None else body["revoked_at"]
        g = grant_id(self._origin, key.keyid, body["holder"], body["scope"], role)
        if g.hex() != body["g"]:
            return wrong("g is not the digest of log, keyid, holder, scope and role")
        enroller = body["enroller"]
        if bytes.fromhex(enroller[2:]) not in self._authorities:
            return wrong(f"the enroller {enroller} is no authority of the trust file")
        known = self._by_g.get(g)
        if known is not None and not follows(known, enroller, body["enrolled_at"], revoked_at):
            return wrong("it contradicts an earlier statement: a grant is never renewed")
        stated = StatedGrant(
            g, key.keyid, body["holder"], body["scope"], role, enroller, body["enrolled_at"], revoked_at,
            index, record_id, -1 if known is None else known.last_used,
        )  # fmt: skip
        self._by_g[g] = stated
        others = [grant for grant in self._by_keyid.get(key.keyid, ()) if grant.g != g]
        self._by_keyid[key.keyid] = [*others, stated]
        self._candidates.clear()
        self.keys[key.keyid] = key.spki
        return []

    def check_use(self, use: Use, indices: Sequence[int]) -> list[AuditFinding]:
        """A grant that the log has stated covers each of these records; findings for those that none covers."""
        candidates = self._candidates.get(use)
        if candidates is None:
            candidates = self._candidates[use] = self._matching(use)
        low, high = min(indices), max(indices)
        for grant in candidates:
            if grant.enrolled_at <= low and high < grant.revoked_at:
                grant.last_used = max(grant.last_used, high)
                return []
        return [found for index in indices if (found := self._uncovered(use, index, candidates)) is not None]

    def voided(self) -> list[str]:
        """Grants that were revoked from an index below their last use: lawful, and the records from there on are void."""
        return [
            f'key {grant.keyid[:16]}… ({grant.holder}, scope "{grant.scope}") is revoked from index '
            f"{grant.revoked_at} on, and signed up to index {grant.last_used}: its records in between are void"
            for grant in self._by_g.values()
            if grant.last_used >= grant.revoked_at
        ]

    def compare(self, g: bytes, word: bytes) -> list[AuditFinding]:
        """What the log states of a grant against the registry's word."""
        grant = self._by_g[g]
        if word == grant.word():
            return []
        enroller, enrolled_at, revoked_at = unpack_word(word)
        if (enroller, enrolled_at) == (grant.enroller, grant.enrolled_at) and revoked_at < grant.revoked_at:
            # A revocation that the log has not mirrored yet (or hides): it counts from now on, `voided` names the use.
            grant.revoked_at = revoked_at
            return []
        said = f"from {grant.enrolled_at} to {grant.revoked_at} by {grant.enroller}"
        held = f"from {enrolled_at} to {revoked_at} by {enroller}" if any(word) else "no such grant"
        detail = f"grant entry: the log states {said}, the registry holds {held}"
        return [AuditFinding(grant.index, grant.record_id, 4, "grant-differs", detail)]

    def _matching(self, use: Use) -> list[StatedGrant]:
        wanted = _Wanted(*use)
        return [grant for grant in self._by_keyid.get(wanted.keyid, ()) if covers(grant, wanted)]

    def _uncovered(self, use: Use, index: int, candidates: list[StatedGrant]) -> AuditFinding | None:
        keyid, holder, site, book, kind, _ = use
        last: GrantError | None = None
        for grant in candidates:
            try:
                check_grant_word(grant.word(), keyid, index, self._authorities)
            except GrantError as error:
                if error.code == "revoked" and index < grant.index:
                    # Revoked afterwards, from an index below: lawful, and `voided` says so.
                    grant.last_used = max(grant.last_used, index)
                    return None
                last = error
            else:
                grant.last_used = max(grant.last_used, index)
                return None
        if last is not None:
            return AuditFinding(index, "", 4, last.code, last.detail)
        detail = f"key {keyid[:16]}… has no grant for {holder}, {site}/{book}, {kind}"
        return AuditFinding(index, "", 4, "no-grant", detail)
