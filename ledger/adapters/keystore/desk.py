"""Where the supervisors' key files are: `keys/desk/<name>.key`, each encrypted under its owner's password."""

from __future__ import annotations

import re
from pathlib import Path

from ledger.adapters.keystore.sealing import WrongPassphraseError
from ledger.adapters.keystore.signing import FileSigner, load_signer, rekey
from ledger.errors import ConfigError, DeskError

_NAME = re.compile(r"[a-z](?:[a-z0-9-]|\.(?!\.)){1,30}")
"""An issuer's name (formats.md section 2) that is no path."""


class DeskKeyFiles:
    """Implements signdesk.KeyFiles."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def path(self, name: str) -> Path:
        """The file of `name`, there or not. DeskError when it can be nobody's name."""
        if not _NAME.fullmatch(name):
            raise DeskError(f"{name!r} is no name of a supervisor", code="no-supervisor-key")
        return self._directory / f"{name}.key"

    def open(self, name: str, password: str) -> FileSigner:
        """The key of `name`. DeskError no-supervisor-key, key-wrong-password."""
        path = self._there(name)
        try:
            return load_signer(path, password)
        except ConfigError as error:
            raise _refused(name, error) from error

    def rekey(self, name: str, old: str, new: str) -> None:
        """The same key under another password. DeskError as `open`."""
        path = self._there(name)
        try:
            rekey(path, old, new)
        except ConfigError as error:
            raise _refused(name, error) from error

    def _there(self, name: str) -> Path:
        path = self.path(name)
        if not path.exists():
            raise DeskError(
                f"there is no key of {name}: make one with `hazledger key new --out {path}` under the password, and "
                f"enrol it with `hazledger authority enrol --key {path} --holder {name} --role supervisor`",
                code="no-supervisor-key",
            )
        return path


def _refused(name: str, error: ConfigError) -> DeskError:
    """A file that is open to others, or torn, is no matter of the password: who is told so would try it in vain."""
    if isinstance(error, WrongPassphraseError):
        return DeskError(f"the password does not open the key of {name}", code="key-wrong-password")
    return DeskError(f"the key of {name} cannot be used: {error.detail}", code="no-supervisor-key")
