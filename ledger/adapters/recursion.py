"""The process's recursion limit, after an import that raised it."""

from __future__ import annotations

import sys

LIMIT = 1000
"""Python's own."""
_RAISED = 100_000
"""What py_ecc sets for the whole process when it is imported, as it is behind web3 and eth_account."""


def restore_recursion_limit() -> None:
    """Undo what importing py_ecc does to the limit.

    The parsers of JSON and YAML recurse in C as deep as the limit lets them. At 100,000 a nested answer or file does not
    raise RecursionError any more: it overflows the stack and ends the process. Nothing here needs such a depth; py_ecc's
    pairings, which do, are not used. A limit that somebody else chose stays.
    """
    if sys.getrecursionlimit() == _RAISED:
        sys.setrecursionlimit(LIMIT)
