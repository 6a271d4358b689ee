"""Every test is guarded: what it starts or opens has to be gone when it ends."""

from __future__ import annotations

import numpy as np  # noqa: F401 - its native thread starts at the import; here it belongs to no test
import pytest

pytest_plugins = ["understudy.testing.plugin", "pytester"]


@pytest.fixture(autouse=True)
def nothing_is_left_behind(leak_check):
    """Fail the test that leaves processes, descriptors, threads or files behind."""
