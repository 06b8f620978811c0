import pytest
from argon2 import PasswordHasher

from tests.webapp.desk import Desk
from webapp import passwords

REAL_HASHER = passwords._hasher
REAL_DUMMY_HASH = passwords._DUMMY_HASH


@pytest.fixture(scope="session", autouse=True)
def cheap_argon2():
    """Argon2id at its real cost would be most of these tests' time; one test looks at the real parameters."""
    passwords._hasher = PasswordHasher(time_cost=1, memory_cost=64, parallelism=1)
    passwords._DUMMY_HASH = passwords.hash_password("nobody's")
    yield
    passwords._hasher, passwords._DUMMY_HASH = REAL_HASHER, REAL_DUMMY_HASH


@pytest.fixture
def desk(tmp_path):
    made = Desk(tmp_path)
    yield made
    made.close()


@pytest.fixture
def browser(desk):
    return desk.supervisor()


@pytest.fixture
def code(desk):
    """The one-time code of an account that was made just now."""
    account, one_time = passwords.new_account("supervisor")
    desk.stores.portal.save_user(account)
    return one_time
