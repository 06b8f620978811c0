"""The supervisors' keys while they are unlocked, in the sequencer's process: sign-in opens one, idleness wipes it.

A key file is encrypted under its owner's password and nothing else, so between two sign-ins nobody here can sign in the
supervisor's name. While it is open the sequencer signs what the session asks for; so such a key binds the platform's
operator rather than the person (README). Python cannot overwrite memory: wiped means that nothing refers to it any more.
"""

from __future__ import annotations

import json
import re
import secrets
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from time import monotonic
from typing import Any, Protocol

from ledger.append import Draft, append
from ledger.append.checks import check_grants
from ledger.append.own import own_payload
from ledger.authenticate import authenticate
from ledger.core.disclosure import SALT_BYTES, make_disclosure, make_sd
from ledger.core.dsse import PAYLOAD_TYPE, encode_envelope, pae
from ledger.core.submission import SUBMISSION_TYPE
from ledger.errors import DeskError, LedgerError
from ledger.model import Appended, AuthenticRecord, LeafIndex, Signature
from ledger.ports import DeskDraft, GrantDirectory, Signer
from ledger.receive import receive
from ledger.sequencer import Sequencer

IDLE_S = 15 * 60.0
"""portal.md: idle 15 minutes for acting."""
CONFIRM_S = 5 * 60.0
"""What asks for the password again takes an unlocking so recent for it."""
SITE = "desk"
_EARLIER = re.compile(r"@(0|[1-9][0-9]?)")


class KeyFiles(Protocol):
    """Where the encrypted key files are."""

    def open(self, name: str, password: str) -> Signer:
        """DeskError no-supervisor-key or key-wrong-password."""

    def rekey(self, name: str, old: str, new: str) -> None:
        """The same key under another password; does nothing where `new` opens it already. Raises as `open`."""


@dataclass(slots=True)
class _Unlocked:
    name: str
    signer: Signer
    used_s: float
    confirmed_s: float


class SigningDesk:
    """Implements ports.Desk in the sequencer's process. Safe to call from several threads."""

    def __init__(
        self,
        sequencer: Sequencer,
        files: KeyFiles,
        directory: GrantDirectory,
        *,
        origin: str,
        is_known: Callable[[str], bool] = lambda _: True,
        clock_s: Callable[[], float] = monotonic,
    ) -> None:
        """`directory` says which keys are enrolled. `is_known` is authenticate's: by default whether the grant is in force
        is decided by `append`.
        """
        self._sequencer = sequencer
        self._files = files
        self._directory = directory
        self._origin = origin
        self._is_known = is_known
        self._clock_s = clock_s
        self._lock = threading.Lock()
        self._open: dict[str, _Unlocked] = {}

    def unlock(self, session: str, name: str, password: str) -> str:
        """Open the key of `name` for `session` (a secret's hash); its keyid. Again: confirms the password anew."""
        signer = self._files.open(name, password)
        now_s = self._clock_s()
        with self._lock:
            self._open[session] = _Unlocked(name, signer, now_s, now_s)
        return signer.keyid

    def lock(self, session: str) -> None:
        """Wipe what `session` opened."""
        with self._lock:
            self._open.pop(session, None)

    def touch(self, session: str) -> bool:
        """The person is still there: idleness counts from now. False when the key is locked."""
        self.sweep()
        with self._lock:
            unlocked = self._open.get(session)
            if unlocked is not None:
                unlocked.used_s = self._clock_s()
            return unlocked is not None

    def rekey(self, name: str, old: str, new: str) -> None:
        """The password changed: the key file follows, and every session of that name is wiped."""
        self._files.rekey(name, old, new)
        with self._lock:
            for session in [s for s, unlocked in self._open.items() if unlocked.name == name]:
                del self._open[session]

    def sweep(self) -> None:
        """Wipe what was idle for too long; the sequencer's loop calls this every second."""
        idle_s = self._clock_s() - IDLE_S
        with self._lock:
            for session in [s for s, unlocked in self._open.items() if unlocked.used_s <= idle_s]:
                del self._open[session]

    def sign_and_append(self, session: str, drafts: Sequence[DeskDraft], *, confirmed: bool) -> list[Appended]:
        """Sign these in the session's name and append them in one group commit, in this order; durable on return.

        A body's `order` "@n" becomes the record_id of the n-th draft of this call. With `confirmed` the password must have
        been given within CONFIRM_S.

        Raises: DeskError, or the LedgerError that refuses one of them: then none was appended.
        """
        unlocked = self._unlocked(session, confirmed=confirmed)

        def work(draft: Draft) -> list[Appended]:
            # All are made and checked before the first is appended: an order without its alerts would be half an act.
            records: list[AuthenticRecord] = []
            for wanted in drafts:
                records.append(self._record(unlocked, wanted, records, draft))
            # The one thing that depends on where they will stand: a grant may end between two of them.
            for at, record in enumerate(records, draft.next_index()):
                check_grants(record, LeafIndex(at), draft)
            done: list[Appended] = []
            for answer in append(records, draft):
                if isinstance(answer, LedgerError):
                    raise answer
                done.append(answer)
            return done

        return self._sequencer.append_built(work, len(drafts))

    def _unlocked(self, session: str, *, confirmed: bool) -> _Unlocked:
        self.sweep()
        with self._lock:
            unlocked = self._open.get(session)
            if unlocked is None:
                raise DeskError("the supervisor's key is locked; unlock it with the password", code="key-locked")
            now_s = self._clock_s()
            if confirmed and now_s - unlocked.confirmed_s > CONFIRM_S:
                raise DeskError("this act asks for the password again", code="confirm-needed")
            unlocked.used_s = now_s
            return replace(unlocked)

    def _record(
        self, unlocked: _Unlocked, wanted: DeskDraft, before: Sequence[AuthenticRecord], draft: Draft
    ) -> AuthenticRecord:
        shown = [make_disclosure(name, text, secrets.token_bytes(SALT_BYTES)) for name, text in wanted.disclosures]
        payload = own_payload(
            draft,
            wanted.kind,
            (unlocked.name, SITE, wanted.book),
            _body(wanted.body, before),
            keyid=unlocked.signer.keyid,
            after=next((r for r in reversed(before) if r.book == wanted.book), None),
            digests=make_sd(shown, secrets.token_bytes) if shown else (),
        )
        signature = Signature(unlocked.signer.keyid, unlocked.signer.sign(pae(PAYLOAD_TYPE, payload)))
        submission = b'{"envelope":%b,"disclosures":%b}' % (
            encode_envelope(payload, [signature]),
            json.dumps([disclosure.text for disclosure in shown]).encode(),
        )
        return authenticate(
            receive(submission, SUBMISSION_TYPE),
            origin=self._origin,
            directory=self._directory,
            is_known=self._is_known,
        )


def _body(body: Mapping[str, Any], before: Sequence[AuthenticRecord]) -> dict[str, Any]:
    """The body with the order that it names. Other members may be a person's own words, which begin as he likes."""
    named = _EARLIER.fullmatch(str(body.get("order", "")))
    if named is None or int(named[1]) >= len(before):
        return dict(body)  # no order of this call: whether it is a record_id, the schema says
    return {**body, "order": before[int(named[1])].record_id}
