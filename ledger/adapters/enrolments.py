"""The platform's directory of enrolments: one JSON file a grant, put there by `hazledger authority enrol`.

The chain holds only digests. What the words behind them are, the platform learns from these files, and believes a file
only when the chain carries exactly its digest.
"""

from __future__ import annotations

import json
import logging
from pathlib import Path

from ledger.adapters.files import write_whole
from ledger.core.encoding import b64_decode, b64_encode
from ledger.core.grants import check_holder, check_scope, grant_id
from ledger.core.keys import load_public_key
from ledger.model import Enrolment, Role

_log = logging.getLogger(__name__)


def save_enrolment(directory: Path, origin: str, enrolment: Enrolment) -> Path:
    """Write one, whole or not at all and durable; writing the same again changes nothing."""
    g = grant_id(origin, enrolment.keyid, enrolment.holder, enrolment.scope, int(enrolment.role)).hex()
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    path = directory / f"{g}.json"
    document = {
        "keyid": enrolment.keyid,
        "spki": b64_encode(enrolment.spki),
        "holder": enrolment.holder,
        "scope": enrolment.scope,
        "role": int(enrolment.role),
    }
    write_whole(path, json.dumps(document, indent=1).encode())
    return path


class EnrolmentDirectory:
    """Reads the directory; a file that can be used is read once and never looked at again."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._seen: dict[str, Enrolment] = {}
        self._left_out: set[str] = set()

    def all(self) -> list[Enrolment]:
        """Every enrolment that the log can carry. A bad file is logged once and left out: it cannot stop the others."""
        if not self._directory.is_dir():
            return []
        names = {path.name for path in self._directory.iterdir() if path.suffix == ".json"}
        for name in sorted(names - self._seen.keys()):
            try:
                document = json.loads((self._directory / name).read_bytes())
                spki = b64_decode(document["spki"])
                enrolment = Enrolment(
                    keyid=load_public_key(spki).keyid,
                    spki=spki,
                    holder=str(document["holder"]),
                    scope=str(document["scope"]),
                    role=Role(document["role"]),
                )
                check_holder(enrolment.holder)
                check_scope(enrolment.scope)
                self._seen[name] = enrolment
            except (OSError, ValueError, KeyError, TypeError) as error:
                if name not in self._left_out:
                    _log.warning("enrolment file %s cannot be used and is left out: %s", name, error)
                self._left_out.add(name)
        return [enrolment for name, enrolment in self._seen.items() if name in names]
