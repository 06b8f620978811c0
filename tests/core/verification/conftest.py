"""One anchored world a file, and the bundle of its record 5."""

import pytest

from ledger.core.bundle import parse_bundle
from tests.core.verification.bundles import anchored_world


@pytest.fixture(scope="module")
def world():
    return anchored_world()


@pytest.fixture(scope="module")
def good(world):
    return parse_bundle(world.bundle_bytes(5))
