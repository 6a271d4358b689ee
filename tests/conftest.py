"""Every test is guarded: what it starts or opens has to be gone when it ends."""

from __future__ import annotations

import compileall
import os
import sys
from pathlib import Path

import numpy as np  # noqa: F401 - its native thread starts at the import; here it belongs to no test
import pytest

pytest_plugins = ["understudy.testing.plugin", "pytester"]

# Where bytecode is not written (images of containers often say so), each of some thousand interpreters that are started
# here would compile all of understudy anew, which takes longer than all else that it does.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False


def pytest_configure(config: pytest.Config) -> None:
    """Compile once, before the workers start: interpreters that this very one starts are told not to by its flags."""
    if not hasattr(config, "workerinput"):
        root = Path(__file__).parents[1]
        for folder in ("src", "tests"):
            compileall.compile_dir(root / folder, quiet=2)


@pytest.fixture(autouse=True)
def nothing_is_left_behind(leak_check):
    """Fail the test that leaves processes, descriptors, threads or files behind."""
