import shutil
import pytest
from tests.faults import installation
from tests.faults.inspection import hazledger
from tests.faults.test_kill_loop import stop_processes
from tests.served import Served

@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    state = tmp_path_factory.mktemp("tamper") / "s"
    with pytest.MonkeyPatch.context() as patch, Served(state, names=("sequencer", "anchor", "web")) as served:
        installation.fill(served, patch)
        for name in ("web", "anchor", "sequencer"):
            child = served.service._children[name]
            child.popen.terminate()
            child.popen.wait(20)
        yield served


def test_audit__untouched__finds_nothing(installed):
    done = hazledger("audit", "--state", installed.state, "--rpc", installed.service.rpc_url)
    print(done.stdout, done.stderr)
    print(installation.files_of(installed.state))
    assert done.returncode == 0, done.stdout + done.stderr
