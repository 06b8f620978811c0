"""The installation's lookup key: 32 random bytes, encrypted at rest, never in the database (ledger/core/facts.py).

Whoever has the database and not this file cannot try out ID numbers against its digests.
"""

from __future__ import annotations

import json
import os
from functools import partial
from pathlib import Path
from typing import Any

from ledger.adapters.files import read_private, write_whole
from ledger.adapters.keystore.sealing import SCRYPT_N, SEALED_MEMBERS, check_sealed, seal, unseal
from ledger.core import strictjson
from ledger.core.facts import LOOKUP_KEY_BYTES
from ledger.core.members import MemberError, exact_object
from ledger.errors import ConfigError, MalformedRecordError

FORMAT = "hazledger/lookup-key/v1"


def create_lookup_key(path: Path, passphrase: str, *, scrypt_n: int = SCRYPT_N) -> None:
    """Make a key and its file, mode 0600. ConfigError when it is there already or the passphrase is empty."""
    if not passphrase:
        raise ConfigError(f"{path}: an empty passphrase protects nothing")
    document = {
        "format": FORMAT,
        **seal(os.urandom(LOOKUP_KEY_BYTES), FORMAT.encode(), passphrase, scrypt_n=scrypt_n),
    }
    try:
        write_whole(path, (json.dumps(document, indent=1) + "\n").encode(), replace=False)
    except FileExistsError as error:
        raise ConfigError(f"{path} is there already; a key is never overwritten") from error


def load_lookup_key(path: Path, passphrase: str) -> bytes:
    """The 32 bytes. ConfigError when the file is missing, open to others, of another form, or the passphrase is wrong."""
    data = read_private(path, "the lookup key file; `hazledger init` makes a missing one", partial(_parsed, path))
    document = _parsed(path, data)
    return unseal(path, document, FORMAT.encode(), passphrase, if_lost="restore it from its backup")


def _parsed(path: Path, data: bytes) -> dict[str, Any]:
    try:
        return _checked(strictjson.loads(data))
    except (MemberError, MalformedRecordError) as error:
        raise ConfigError(f"{path} is no file of {FORMAT}: {error}") from error


def _checked(document: Any) -> dict[str, Any]:
    exact_object(document, "", frozenset({"format", *SEALED_MEMBERS}))
    if document["format"] != FORMAT:
        raise MemberError(f"another format: {document['format']}", "/format")
    check_sealed(document)
    return dict(document)
