"""What tests of several packages share."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, settings

from tests.postgres import PostgresMissingError, PostgresServer, running_server

# Several workers share the cores: how long an example took says nothing. What CI asks for else stays.
settings.register_profile(
    "shared cores",
    settings.default,
    deadline=None,
    suppress_health_check=[*settings.default.suppress_health_check, HealthCheck.too_slow],
)
settings.load_profile("shared cores")


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    """A server of our own; where there is none its tests are skipped, in CI they fail."""
    try:
        manager = running_server()
        server = manager.__enter__()
    except PostgresMissingError as missing:
        if os.environ.get("CI"):
            pytest.fail(f"CI must test PostgreSQL: {missing}")
        pytest.skip(str(missing))
    try:
        yield server
    finally:
        manager.__exit__(None, None, None)
