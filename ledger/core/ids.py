"""Identifiers with check digits, and the search for personal data in text.

Sources: CAS registry number (CAS, check digit rule); Unified Social Credit Code (GB 32100-2015, mod 31 with the weights
3**i); resident identity number (GB 11643-1999, mod 11-2 after ISO 7064); mainland mobile numbers (eleven digits, 1[3-9]).
Not checked here: that an identifier was ever issued to anybody.
"""

from __future__ import annotations

import re
import unicodedata
from calendar import monthrange
from functools import lru_cache

_CACHED = 4096
"""Codes that passed and need no second look: more holders and substances than one jurisdiction has."""

CREDIT_CODE_ALPHABET = "0123456789ABCDEFGHJKLMNPQRTUWXY"
"""GB 32100-2015 table 2: digits and capitals without I, O, S, V, Z; the place is the value."""

_CREDIT_VALUES = {char: value for value, char in enumerate(CREDIT_CODE_ALPHABET)}
_CREDIT_WEIGHTS = tuple(pow(3, i, 31) for i in range(17))
_CREDIT_SHAPE = re.compile(r"[0-9A-HJ-NP-RTUWXY]{2}[0-9]{6}[0-9A-HJ-NP-RTUWXY]{10}")

_ISSUER = re.compile(r"[a-z][a-z0-9.-]{1,62}", re.ASCII)

_CAS_LIKE = re.compile(r"[0-9]{2,7}-[0-9]{2}-[0-9]")
_CAS_SHAPE = re.compile(r"([1-9][0-9]{1,6})-([0-9]{2})-([0-9])")

_RESIDENT_SHAPE = re.compile(r"[1-9][0-9]{16}[0-9X]")
_RESIDENT_WEIGHTS = tuple(pow(2, 17 - i, 11) for i in range(17))
_RESIDENT_CHECK = "10X98765432"
_RESIDENT_YEARS = range(1850, 2100)
"""A birth year outside is no birth year; wide, because a wrong "valid" only asks for `_sd` while a miss leaks."""

_PERSONAL = re.compile(
    r"(?<![0-9A-Za-z])(?:"
    r"(?P<resident>[1-9][0-9]{16}[0-9Xx]|[1-9][0-9]{5}[ \-][0-9]{8}[ \-][0-9]{3}[0-9Xx])"
    r"|(?:(?:\+|00)?86[ \-]?)?(?P<mobile>1[3-9][0-9]{9}|1[3-9][0-9][ \-][0-9]{4}[ \-][0-9]{4})"
    r")(?![0-9A-Za-z])"
)


def looks_like_cas(code: str) -> bool:
    """Whether `code` has the shape of a CAS number, whose check digit must then hold."""
    return _CAS_LIKE.fullmatch(code) is not None


@lru_cache(maxsize=_CACHED)
def check_cas(code: str) -> None:
    """Raises ValueError unless `code` is a CAS number with a valid check digit (sum of digit times place from the right)."""
    match = _CAS_SHAPE.fullmatch(code)
    if match is None:
        raise ValueError("a CAS number is 2 to 7 digits, 2 digits and a check digit, joined by hyphens")
    digits = match[1] + match[2]
    expected = sum(int(d) * place for place, d in enumerate(reversed(digits), start=1)) % 10
    if expected != int(match[3]):
        raise ValueError(f"the check digit of this CAS number should be {expected}")


def _credit_check(prefix: str) -> str:
    total = sum(_CREDIT_VALUES[char] * weight for char, weight in zip(prefix, _CREDIT_WEIGHTS, strict=True))
    return CREDIT_CODE_ALPHABET[-total % 31]


@lru_cache(maxsize=_CACHED)
def check_credit_code(code: str) -> None:
    """Raises ValueError unless `code` is a Unified Social Credit Code with a valid check character (GB 32100-2015).

    The message never holds the code: people paste identity numbers into the wrong field.
    """
    if _CREDIT_SHAPE.fullmatch(code) is None:
        raise ValueError("a Unified Social Credit Code is 18 digits and capitals, none of them I, O, S, V, Z")
    expected = _credit_check(code[:17])
    if code[17] != expected:
        raise ValueError(f"the check character of this credit code should be {expected}")


def check_issuer(name: str) -> None:
    """Raises ValueError unless `name` can be the name of an authority (schema `issuer`)."""
    if _ISSUER.fullmatch(name) is None:
        raise ValueError("an issuer's name is 2 to 63 lower-case letters, digits, points and hyphens, a letter first")


def credit_code_for(prefix17: str) -> str:
    """The credit code that begins with these 17 characters. For demonstrations and tests; ValueError on another form."""
    code = prefix17 + "0"
    if _CREDIT_SHAPE.fullmatch(code) is None:
        raise ValueError(f"{prefix17!r} does not begin a Unified Social Credit Code")
    return prefix17 + _credit_check(prefix17)


def _resident_check(prefix: str) -> str:
    return _RESIDENT_CHECK[sum(int(d) * w for d, w in zip(prefix, _RESIDENT_WEIGHTS, strict=True)) % 11]


def _plausible_birth(digits: str) -> bool:
    year, month, day = int(digits[:4]), int(digits[4:6]), int(digits[6:8])
    return year in _RESIDENT_YEARS and 1 <= month <= 12 and 1 <= day <= monthrange(year, month)[1]


def check_resident_id(number: str) -> None:
    """Raises ValueError unless `number` is an 18-character resident ID with a birth date and check character that hold.

    The message never holds the number.
    """
    if _RESIDENT_SHAPE.fullmatch(number) is None:
        raise ValueError("not of the form of a resident ID (17 digits and a digit or X)")
    if not _plausible_birth(number[6:14]):
        raise ValueError("the birth date inside the resident ID is no date")
    if number[17] != _resident_check(number[:17]):
        raise ValueError("the check character of the resident ID does not hold")


def resident_id_for(prefix17: str) -> str:
    """The resident ID that begins with these 17 digits. For demonstrations and tests; never a real person's."""
    number = prefix17 + _resident_check(prefix17)
    check_resident_id(number)
    return number


def find_personal_data(text: str) -> str | None:
    """The kind of personal data that `text` holds ("resident-id" or "mobile-number"), or None.

    Full-width digits are read as digits; one blank or hyphen may stand between the groups in which people write them.
    A number that is part of a longer run of ASCII letters or digits (a digest, a trace mark) does not count.
    """
    plain = text if text.isascii() else unicodedata.normalize("NFKC", text)
    for match in _PERSONAL.finditer(plain):
        if match["mobile"]:
            return "mobile-number"
        number = match["resident"].replace(" ", "").replace("-", "").upper()
        try:
            check_resident_id(number)
        except ValueError:
            continue
        return "resident-id"
    return None
