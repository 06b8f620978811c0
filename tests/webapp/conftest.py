import pytest
from argon2 import PasswordHasher

from tests.webapp.desk import Desk
from webapp import passwords

REAL_HASHER = passwords._hasher


@pytest.fixture(scope="session", autouse=True)
def cheap_argon2():
    """Argon2id at its real cost would be most of these tests' time; one test looks at the real parameters."""
    passwords._hasher = PasswordHasher(time_cost=1, memory_cost=64, parallelism=1)
    yield
    passwords._hasher = REAL_HASHER


@pytest.fixture
def desk(tmp_path):
    made = Desk(tmp_path)
    yield made
    made.close()
