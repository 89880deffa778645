"""Memory that was freed between what stays goes back to the kernel."""

import subprocess
import sys

import pytest

from healthheartbeat.adapters import allocator

PROGRAM = """
from bench import meter
from healthheartbeat.adapters import allocator
import os
kept = [bytes(3000) for _ in range(10_000)]
kept = kept[::10]
before, _ = meter.memory_mib(os.getpid())
allocator.give_back()
print(before - meter.memory_mib(os.getpid())[0])
"""


@pytest.mark.skipif(allocator._TRIM is None, reason="there is no glibc here")
def test_what_is_free_between_what_stays_is_given_back() -> None:
    done = subprocess.run([sys.executable, "-c", PROGRAM], check=True, capture_output=True, text=True, timeout=60)
    assert float(done.stdout) > 10, "MiB of the 27 that were freed"
