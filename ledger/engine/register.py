"""What is known of enterprises, sites and persons: the knowledge that topics share, folded before any of them.

Profiles, places, handlers as the newest record (or its correction) states them, who is inside this jurisdiction's log, and
what time it is at a site.
"""

from __future__ import annotations

from bisect import insort
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import cache, lru_cache
from importlib.metadata import version
from typing import Any, TypeVar
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import holidays
import msgspec

from ledger.engine.inputs import Input, happened_ms

DEFAULT_ZONE = "Asia/Shanghai"
_MACHINES_OWN = "localtime"
"""Of a site without a `place` record."""
CALENDAR = f"holidays {version('holidays')}"
"""Where working days come from; part of the rule set's digest."""
_COUNTRY = "CN"
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
PAST_MS = 14 * 86_400_000
"""How long a statement that another one took the place of is remembered: twice as long as records may come late."""
MOST_PAST = 16
"""Of one site or profile."""
_LAST_BUT_ONE = date.max - timedelta(days=1)


class Profile(msgspec.Struct, array_like=True):
    """An enterprise as its newest profile says."""

    record_id: str = ""
    received_ms: int = 0
    roles: list[str] = []
    industry: str = ""
    scope: list[str] = []
    status: str = "active"
    upload_windows: list[dict[str, Any]] = []
    said_ms: int = 0
    seq: int = 0


class SiteStore(msgspec.Struct, array_like=True):
    """A store as `place` states it; quantities as written."""

    book: str
    kind: str
    """Its class: room, cabinet, tank, …"""
    unit: str = ""
    compartment: str = ""
    design_max: dict[str, str] | None = None
    capacity: dict[str, str] | None = None


class Site(msgspec.Struct, array_like=True):
    """A site as the newest `place` record that names it says."""

    record_id: str = ""
    zone: str = DEFAULT_ZONE
    hours: list[dict[str, Any]] | None = None
    """Weekly windows (formats.md); None where they are not stated."""
    people_500m: int | None = None
    categories: list[str] = []
    stores: dict[str, SiteStore] = {}
    said_ms: int = 0
    """When it was stated: event time."""
    seq: int = 0


Stated = TypeVar("Stated", Profile, Site)
_NO_PROFILE, _NOT_STATED = Profile(), Site()


class Handler(msgspec.Struct, array_like=True):
    """A person of an enterprise, under the enterprise's own reference."""

    record_id: str
    since_ms: int
    """Received time of the first record that enrolled it."""
    active: bool
    role: str = ""
    training_valid_to: str = ""
    certificate_valid_to: str = ""
    keyid: str = ""
    facts: dict[str, Any] = {}
    """What erasable data said of the person when it came (`ledger.core.facts`)."""
    faces: list[tuple[int, int, str, dict[str, Any]]] = []
    """What each record of this reference that disclosed a person said: (event ms, seq, record_id, facts), ascending."""


class RegisterState(msgspec.Struct):
    """All of it, by holder, holder/site, holder/ref."""

    inside: dict[str, int] = {}
    """Enterprises that have a grant or records here -> index of the first."""
    profiles: dict[str, Profile] = {}
    sites: dict[str, Site] = {}
    past_profiles: dict[str, list[Profile]] = {}
    """What stood before and may still be asked for, ascending; mostly nothing."""
    past_sites: dict[str, list[Site]] = {}
    handlers: dict[str, Handler] = {}


@dataclass(frozen=True, slots=True)
class LocalTime:
    """A moment at a site."""

    day: str
    """YYYY-MM-DD."""
    weekday: int
    """1 Monday to 7 Sunday."""
    minute: int
    """Since midnight, 0 to 1439."""
    is_workday: bool
    """By the public calendar, days moved for holidays included."""


class Register:
    """Reads and writes one RegisterState."""

    kinds = frozenset({"profile", "place", "person", "grant"})

    def __init__(self, state: RegisterState) -> None:
        self._state = state

    # --- folding -----------------------------------------------------------------------------------------------------

    def note(self, entry: Input) -> None:
        """Every record of an enterprise: it is inside from the first on."""
        self._state.inside.setdefault(entry.holder, entry.index)

    def apply(self, entry: Input) -> None:
        """Take in one record of `kinds`, as it stands."""
        body = entry.body
        if entry.kind == "profile":
            stated = Profile(
                entry.record_id,
                entry.received_ms,
                body.get("roles", []),
                body.get("industry", ""),
                body.get("scope", []),
                body.get("status", "active"),
                body.get("upload_windows", []),
                happened_ms(entry),
                entry.seq,
            )
            _state(self._state.profiles, self._state.past_profiles, entry.holder, stated, entry.received_ms)
        elif entry.kind == "place":
            for site in body["sites"]:
                at = f"{entry.holder}/{site['site']}"
                _state(self._state.sites, self._state.past_sites, at, _site(entry, site), entry.received_ms)
        elif entry.kind == "person":
            self._person(entry, body)
        elif entry.kind == "grant" and body["role"] == 1:
            self._state.inside.setdefault(body["holder"], entry.index)

    def _person(self, entry: Input, body: dict[str, Any]) -> None:
        at = f"{entry.holder}/{body['ref']}"
        known = self._state.handlers.get(at)
        self._state.handlers[at] = Handler(
            entry.record_id,
            known.since_ms if known is not None else entry.received_ms,
            body["action"] != "leave",
            body.get("role", known.role if known else ""),
            body.get("training_valid_to", known.training_valid_to if known else ""),
            body.get("certificate_valid_to", known.certificate_valid_to if known else ""),
            body.get("keyid", known.keyid if known else ""),
            entry.facts or (known.facts if known else {}),
            _faces(known, entry),
        )

    # --- asking ------------------------------------------------------------------------------------------------------

    def is_inside(self, holder: str) -> bool:
        """Whether this enterprise has a grant or records in this log."""
        return holder in self._state.inside

    def profile(self, holder: str) -> Profile:
        """The newest profile; an empty one where there is none (its record_id is "")."""
        return self._state.profiles.get(holder) or _NO_PROFILE

    def profiles(self, holder: str) -> Sequence[Profile]:
        """All that stood lately, the newest last; empty where there is none."""
        newest = self._state.profiles.get(holder)
        return (*self._state.past_profiles.get(holder, ()), newest) if newest is not None else ()

    def profile_at(self, holder: str, at_ms: int) -> Profile:
        """The profile that stood at a time; before the first one, that."""
        newest = self.profile(holder)
        if newest.said_ms <= at_ms or holder not in self._state.past_profiles:
            return newest
        return _at([*self._state.past_profiles[holder], newest], at_ms)

    def site(self, holder: str, site: str) -> Site:
        """The newest statement on a site; an empty one where there is none (its record_id is "")."""
        return self.site_of(f"{holder}/{site}")

    def site_of(self, at: str) -> Site:
        """The same, of holder/site."""
        return self._state.sites.get(at) or _NOT_STATED

    def site_at(self, holder: str, site: str, at_ms: int) -> Site:
        """The statement on a site that stood at a time; before the first one, that."""
        newest = self.site(holder, site)
        if newest.said_ms <= at_ms:
            return newest
        past = self._state.past_sites.get(f"{holder}/{site}")
        return newest if past is None else _at([*past, newest], at_ms)

    def facts_of(self, holder: str, ref: str, at_ms: int) -> dict[str, Any]:
        """What is known of the person who bore a reference at a time; of the first one before anybody did."""
        handler = self.handler(holder, ref)
        if handler is None:
            return {}
        faces = handler.faces
        return next((face[3] for face in reversed(faces) if face[0] <= at_ms), faces[0][3] if faces else handler.facts)

    def handler(self, holder: str, ref: str) -> Handler | None:
        """The enterprise's handler of this reference; None when it was never enrolled."""
        return self._state.handlers.get(f"{holder}/{ref}")

    def local(self, holder: str, site: str, at_ms: int) -> LocalTime:
        """The moment at this site, by its stated zone."""
        return local_time(self.site(holder, site).zone, at_ms)

    def day_end_ms(self, holder: str, site: str, day: str) -> int:
        """Unix ms of the midnight that ends the local day YYYY-MM-DD; of the last day, which means without end, of the one
        that begins it: no moment lies behind it.
        """
        return _day_end_ms(self.site(holder, site).zone, day)

    def is_open(self, holder: str, site: str, at_ms: int) -> bool | None:
        """Whether the moment lies in the hours (the shift plan) that were stated for the site then; None where none were."""
        stated = self.site_at(holder, site, at_ms)
        if stated.hours is None or stated.said_ms > at_ms:
            return None
        now = local_time(stated.zone, at_ms)
        return any(_holds(window, now) for window in stated.hours)

    def is_upload_time(self, holder: str, site: str, at_ms: int) -> bool:
        """Whether the moment lies in the upload windows that the enterprise's profile states, by the site's clock."""
        windows = self.profile(holder).upload_windows
        return bool(windows) and any(_holds(window, self.local(holder, site, at_ms)) for window in windows)


def _faces(known: Handler | None, entry: Input) -> list[tuple[int, int, str, dict[str, Any]]]:
    faces = [face for face in known.faces if face[2] != entry.record_id] if known is not None else []
    if entry.facts:
        insort(faces, (happened_ms(entry), entry.seq, entry.record_id, entry.facts), key=lambda face: face[:3])
    return faces[-MOST_PAST:]


def _state(newest: dict[str, Stated], past: dict[str, list[Stated]], at: str, stated: Stated, now_ms: int) -> None:
    """Take a statement in, where its time puts it; what stood before is kept while records of that time may come."""
    known = newest.get(at)
    if known is None:
        newest[at] = stated
        return
    versions: list[Stated] = [one for one in (*past.pop(at, ()), known) if one.record_id != stated.record_id]
    insort(versions, stated, key=_when_said)
    newest[at] = versions.pop()
    until_ms = [one.said_ms for one in versions[1:]] + [newest[at].said_ms] * bool(versions)
    kept = [one for one, end_ms in zip(versions, until_ms, strict=True) if end_ms > now_ms - PAST_MS]
    if kept:
        past[at] = kept[-MOST_PAST:]


def _when_said(one: Profile | Site) -> tuple[int, int, str]:
    return one.said_ms, one.seq, one.record_id


def _at(versions: Sequence[Stated], at_ms: int) -> Stated:
    return next((one for one in reversed(versions) if one.said_ms <= at_ms), versions[0])


def _site(entry: Input, site: dict[str, Any]) -> Site:
    return Site(
        entry.record_id,
        site["zone"],
        site.get("hours"),
        site.get("people_500m"),
        site.get("categories", []),
        {
            store["id"]: SiteStore(
                store["book"],
                store["class"],
                store.get("unit", ""),
                store.get("compartment", ""),
                store.get("design_max"),
                store.get("capacity"),
            )
            for store in site["stores"]
        },
        happened_ms(entry),
        entry.seq,
    )


def _holds(window: dict[str, Any], now: LocalTime) -> bool:
    start, end = _minutes(window["from"]), _minutes(window["to"])
    if end > start:
        return now.weekday in window["days"] and start <= now.minute < end
    yesterday = (now.weekday - 2) % 7 + 1
    return (now.weekday in window["days"] and now.minute >= start) or (yesterday in window["days"] and now.minute < end)


@lru_cache(maxsize=1440)
def _minutes(clock: str) -> int:
    return int(clock[:2]) * 60 + int(clock[3:5])


@cache
def _zone(name: str) -> ZoneInfo:
    try:
        # What a machine calls its own zone is another one elsewhere: there a replay would find other alerts.
        return ZoneInfo(DEFAULT_ZONE if name == _MACHINES_OWN else name)
    except (ZoneInfoNotFoundError, ValueError, OSError):  # a folder's name is an OSError where tzdata is a package
        return ZoneInfo(DEFAULT_ZONE)  # the schema checks the form of a name, not that there is such a place


@cache
def _working_days() -> holidays.HolidayBase:
    return holidays.country_holidays(_COUNTRY)


def load_calendar() -> None:
    """Load the public calendar, which takes 70 ms, now and not when the first entry asks for it."""
    _working_days()


@lru_cache(maxsize=4096)
def is_workday(day: str) -> bool:
    """Whether YYYY-MM-DD is a working day; public holidays and the days moved for them are counted."""
    return bool(_working_days().is_working_day(date.fromisoformat(day)))


def local_time(zone: str, at_ms: int) -> LocalTime:
    """The moment in a zone; an unknown zone counts as the county's."""
    return _local_minute(zone, at_ms // 60_000)


@lru_cache(maxsize=4096)
def _day_end_ms(zone: str, day: str) -> int:
    following = min(date.fromisoformat(day), _LAST_BUT_ONE) + timedelta(days=1)
    midnight = datetime.combine(following, datetime.min.time(), _zone(zone))
    return (midnight - _EPOCH) // timedelta(milliseconds=1)


@lru_cache(maxsize=16384)
def _local_minute(zone: str, minute: int) -> LocalTime:
    at = datetime.fromtimestamp(minute * 60, _zone(zone))
    day = at.date().isoformat()
    return LocalTime(day, at.isoweekday(), at.hour * 60 + at.minute, is_workday(day))
