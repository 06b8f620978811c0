"""FileHeadGuard: the last signed head, apart from the database (ports.HeadGuard).

A database restored from yesterday's backup would sign yesterday's size again with other leaves; this file, which no
backup of the database brings back, says no.
"""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ledger.adapters.files import write_whole
from ledger.core.encoding import b64_decode, b64_encode
from ledger.errors import RollbackError
from ledger.model import TreeHead, TreeSize

_TITLE = "hazledger/last-signed-head/v1"


class FileHeadGuard:
    """`path` holds title, size and root, a line each; a lock file stands beside it."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def read(self) -> TreeHead | None:
        """ports.HeadGuard.read; RollbackError when the file is there but not readable as a head."""
        try:
            text = self._path.read_text("ascii")
        except FileNotFoundError:
            return None
        except (OSError, UnicodeDecodeError) as error:
            raise self._unreadable() from error
        try:
            title, size, root, end = text.split("\n")
            head = TreeHead(TreeSize(int(size)), b64_decode(root))
        except ValueError as error:
            raise self._unreadable() from error
        if title != _TITLE or end or len(head.root) != 32 or str(head.size) != size:
            raise self._unreadable()
        return head

    def compare_and_swap(self, expected: TreeHead | None, new: TreeHead) -> None:
        """ports.HeadGuard.compare_and_swap."""
        self._path.parent.mkdir(parents=True, exist_ok=True)
        with self._locked():
            stored = self.read()
            if stored != expected:
                raise RollbackError(
                    f"the last signed head is {_shown(stored)}, this database knows {_shown(expected)}: it is older than "
                    "what was signed, or another process signs the same log. Restore the newest database, or rebuild "
                    "it from the published tiles; do not delete the guard file"
                )
            text = f"{_TITLE}\n{new.size}\n{b64_encode(new.root)}\n"
            write_whole(self._path, text.encode("ascii"), replace=True)

    @contextmanager
    def _locked(self) -> Iterator[None]:
        # A file of its own: the guarded one is replaced, and a lock would stay with the old inode.
        with self._path.with_name(self._path.name + ".lock").open("a") as handle:
            fcntl.flock(handle, fcntl.LOCK_EX)
            yield

    def _unreadable(self) -> RollbackError:
        return RollbackError(
            f"{self._path} is not a readable head, so it cannot be known what was signed last. Compare with the newest "
            "published checkpoint and write the file again from it"
        )


def _shown(head: TreeHead | None) -> str:
    return "none" if head is None else f"size {head.size}, root {b64_encode(head.root)}"
