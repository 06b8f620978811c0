"""The ports' habits, held by a test because a type checker does not know them."""

import inspect

import pytest

from ledger import ports
from ledger.adapters.store.anchor_store import AnchorStore
from ledger.adapters.store.engine_store import EngineStore
from ledger.adapters.store.log_reader import LogReadStore
from ledger.adapters.store.portal_store import PortalStore

PORTS = [value for value in vars(ports).values() if inspect.isclass(value) and getattr(value, "_is_protocol", False)]


@pytest.mark.parametrize("cls", [*PORTS, AnchorStore, EngineStore, LogReadStore, PortalStore])
def test_limit__has_no_default__nobody_gets_a_part_who_thinks_it_is_all(cls):
    for name, method in inspect.getmembers(cls, inspect.isfunction):
        limit = inspect.signature(method).parameters.get("limit")
        assert limit is None or limit.default is inspect.Parameter.empty, f"{cls.__name__}.{name}"
