"""Made-up natural persons: what is disclosed of them, and the facts that stay when that is erased.

Region 990000 does not exist, so no number here is anybody's. What costs time (names, check digits) is made only when
real disclosures are written; a fold needs the surrogate alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from random import Random
from typing import Any

from ledger.core.ids import resident_id_for

_SURNAMES = "赵钱孙李周吴郑王冯陈褚卫蒋沈韩杨朱秦尤许"


@dataclass(frozen=True, slots=True)
class Person:
    """One natural person. `surrogate` is what facts call them; `born` is (year, month, day)."""

    surrogate: str
    born: tuple[int, int, int]
    serial: int
    id_valid: bool = True

    @property
    def name(self) -> str:
        return f"{_SURNAMES[self.serial % 20]}模拟{self.serial}"

    @property
    def id_number(self) -> str:
        """18 characters with a check character that holds, unless the person is made with an invalid number."""
        year, month, day = self.born
        number = resident_id_for(
            f"990{self.serial // 1000 % 1000:03d}{year}{month:02d}{day:02d}{self.serial % 1000:03d}"
        )
        if self.id_valid:
            return number
        return number[:17] + ("1" if number[17] != "1" else "2")


def make_person(rng: Random, *, minor: bool = False, id_valid: bool = True) -> Person:
    """Somebody new. Minors are 16 or 17 all through 2026, everybody else 20 to 70."""
    year = 2009 if minor else 1957 + rng.randrange(49)
    return Person(
        surrogate=f"{rng.getrandbits(128):032x}",
        born=(year, 1 + rng.randrange(12), 1 + rng.randrange(28)),
        serial=rng.randrange(1_000_000_000),
        id_valid=id_valid,
    )


def disclosures_of(persons: dict[str, Person]) -> dict[str, str]:
    """{pointer: value} to disclose, for persons by the pointer of the place where they stand ("/body/agent")."""
    found = {}
    for at, person in persons.items():
        found[f"{at}/name"] = person.name
        found[f"{at}/id_number"] = person.id_number
    return found


def facts_of_persons(persons: dict[str, Person], year: int, month: int, day: int) -> dict[str, Any]:
    """The facts row that append would have made of these disclosures on that day (ledger.core.facts.facts_of)."""
    ids, links = {}, {}
    for at, person in persons.items():
        age = year - person.born[0] - ((month, day) < person.born[1:])
        ids[f"{at}/id_number"] = (
            {"valid": True, "minor": age < 18, "age_from": 18 if age >= 18 else 16 if age >= 16 else 14}
            if person.id_valid
            else {"valid": False, "minor": None, "age_from": None}
        ) | {"person": person.surrogate}
        links[f"{at}/name"] = f"{person.serial:032x}"
    return {"ids": ids, "links": links}
