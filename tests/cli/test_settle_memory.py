"""What the processes that take records in do with their memory."""

import subprocess
import sys

FAULTS = """
import gc, resource, sys
if sys.argv[1] == "settled":
    from ledger.cli.processes import settle_memory
    settle_memory()

def batches(count):
    for _ in range(count):
        batch = [bytearray(1_000_000) for _ in range(8)]
        del batch

batches(3)
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
batches(20)
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before, gc.get_freeze_count() > 10_000)
"""


def _ran(how):
    done = subprocess.run([sys.executable, "-c", FAULTS, how], capture_output=True, text=True, check=True)
    faults, frozen = done.stdout.split()
    return int(faults), frozen == "True"


def test_settle_memory__batch_after_batch__stays_in_the_same_pages():
    plain, _ = _ran("plain")
    settled, frozen = _ran("settled")
    assert frozen
    assert plain > 20_000  # 20 batches of 8 MB in pages of 4 KiB: else this test shows nothing
    assert settled < 1_000
