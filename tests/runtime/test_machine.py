from __future__ import annotations

import platform
import sys

import numpy as np
import psutil
import pytest

from opsin.runtime.machine import memory_kept

glibc = pytest.mark.skipif(
    sys.platform != "linux" or platform.libc_ver()[0] != "glibc", reason="only glibc has the options"
)


def faults_of_batches(number=12, megabytes=48):
    """How many pages the system hands out while blocks of this size are taken, filled and set free."""
    import resource

    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(number):
        np.ones(megabytes << 20, np.uint8)
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before


@glibc
def test_memory_is_used_again_while_it_is_kept_and_given_back_after():
    usual = faults_of_batches()
    with memory_kept():
        faults_of_batches(1)
        kept = faults_of_batches()
        inside = psutil.Process().memory_info().rss
    assert kept < usual / 3
    assert psutil.Process().memory_info().rss < inside - (32 << 20)
    assert faults_of_batches() > usual / 3


@glibc
def test_an_error_ends_it_too():
    with pytest.raises(KeyError), memory_kept():
        raise KeyError
    assert faults_of_batches() > 3 * 12


def test_elsewhere_nothing_is_done(monkeypatch):
    monkeypatch.setattr(sys, "platform", "darwin")
    with memory_kept():
        assert np.ones(3).sum() == 3
