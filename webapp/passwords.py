"""Passwords of the supervisor's account: Argon2id, and what counts as strong.

A list of common passwords is refused, also with digits or signs around them, since that is what people add.
"""

from __future__ import annotations

import re
import secrets
import threading
import unicodedata
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Literal

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from ledger.ports import User

MIN_LENGTH = 12
MAX_LENGTH = 128
"""Argon2 takes more; a longer one is a mistake or an attack on our time."""
MIN_DIFFERENT = 6
ONE_TIME_CODE_ALPHABET = "23456789ABCDEFGHJKLMNPQRSTUVWXYZ"
"""32 signs nobody confuses: 20 of them are 100 bits."""
CODE_GROUPS, CODE_GROUP = 4, 5
_BETWEEN = frozenset(" \t\n\r-_.\u2010\u2011\u2012\u2013\u2014\u2015\u2212\u30fc\u00ad")
"""What a person or a word processor puts between the groups of a code."""
AT_ONCE = 2
"""One Argon2id run holds 64 MiB (RFC 9106, second recommended option); more at once would let sign-ins eat the memory."""

Weakness = Literal["short", "long", "common", "name", "simple", "same"]

_hasher = PasswordHasher()
_turns = threading.BoundedSemaphore(AT_ONCE)
_DUMMY_HASH = "$argon2id$v=19$m=65536,t=3,p=4$jF7Lm8WjqmzxG2xhlXPN4g$1FUexhzsYZPX3HGKNEGGgKAU8a4SETawtfnVNpJHjCs"
"""Verified when the account does not exist, so that the answer takes as long."""


def hash_password(password: str) -> str:
    """The Argon2id hash in PHC form."""
    with _turns:
        return _hasher.hash(password)


def password_matches(stored: str | None, password: str) -> bool:
    """Whether `password` is the one hashed in `stored`. Takes its time also when there is no account (None)."""
    if len(password) > MAX_LENGTH:
        return False
    with _turns:
        try:
            return _hasher.verify(stored or _DUMMY_HASH, password) and stored is not None
        except (VerificationError, InvalidHashError):
            return False


def weakness_of(password: str, *, username: str, old: str) -> Weakness | None:
    """Why this password is refused, or None when it is strong enough."""
    folded = password.casefold()
    if len(password) < MIN_LENGTH:
        return "short"
    if len(password) > MAX_LENGTH:
        return "long"
    if password == old or one_time_code(password) == old:
        return "same"
    if username.casefold() in folded:
        return "name"
    if folded in common_passwords() or _core(folded) in common_passwords():
        return "common"
    if len(set(folded)) < MIN_DIFFERENT or _is_run(folded):
        return "simple"
    return None


def new_account(username: str) -> tuple[User, str]:
    """(the account, its one-time code). The code is shown once; the first sign-in forces a new password."""
    groups = ("".join(secrets.choice(ONE_TIME_CODE_ALPHABET) for _ in range(CODE_GROUP)) for _ in range(CODE_GROUPS))
    code = "-".join(groups)
    return User(username=username, password_hash=hash_password(code), must_change=True), code


def one_time_code(typed: str) -> str | None:
    """The code as `new_account` writes it, of what a person types from a printed sheet: in any case, with blanks, other
    dashes or none, also in full width. None for what is no code.
    """
    signs = "".join(sign for sign in unicodedata.normalize("NFKC", typed).upper() if sign not in _BETWEEN)
    if len(signs) != CODE_GROUPS * CODE_GROUP or not set(signs) <= set(ONE_TIME_CODE_ALPHABET):
        return None
    return "-".join(signs[at : at + CODE_GROUP] for at in range(0, len(signs), CODE_GROUP))


@cache
def common_passwords() -> frozenset[str]:
    """The list that ships with the portal, folded to lower case."""
    text = (Path(__file__).parent / "common_passwords.txt").read_text("utf-8")
    return frozenset(line.strip().casefold() for line in text.splitlines() if line and not line.startswith("#"))


def _core(folded: str) -> str:
    """What is left without the digits and signs around it: "!password2024" is "password"."""
    return re.sub(r"^[\W\d_]+|[\W\d_]+$", "", folded)


def _is_run(folded: str) -> bool:
    """abcdefghijkl, 123456789012, qwertyuiop…: at least two thirds of all steps go to the neighbour."""
    rows = ("abcdefghijklmnopqrstuvwxyz", "01234567890", "qwertyuiop", "asdfghjkl", "zxcvbnm")
    neighbours = {pair for row in rows for a, b in pairwise(row) for pair in (a + b, b + a)}
    steps = [folded[i : i + 2] for i in range(len(folded) - 1)]
    return sum(step in neighbours for step in steps) * 3 >= len(steps) * 2
