"""The installation that the README's commands make and use, and the demo that it shows."""

from __future__ import annotations

import os
import shutil

import pytest

from tests.readme.shell import Shell


@pytest.fixture(scope="session")
def shell(tmp_path_factory):
    """A person's terminal in an empty directory."""
    missing = [program for program in ("bash", "curl", "openssl") if shutil.which(program) is None]
    if missing:
        (pytest.fail if os.environ.get("CI") else pytest.skip)(f"the README's commands need {', '.join(missing)}")
    shell = Shell(tmp_path_factory.mktemp("readme"))
    yield shell
    shell.close()
