"""Every test is guarded: what it starts or opens has to be gone when it ends."""

from __future__ import annotations

import compileall
import os
import signal
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


@pytest.fixture(scope="session", autouse=True)
def signals_begin_as_usual():
    """What `nohup`, or a shell for its background, told this process to ignore would be ignored by all it starts."""
    ignored = [one for one in (signal.SIGHUP, signal.SIGINT, signal.SIGQUIT) if signal.getsignal(one) is signal.SIG_IGN]
    for one in ignored:
        signal.signal(one, signal.default_int_handler if one is signal.SIGINT else signal.SIG_DFL)
    yield
    for one in ignored:
        signal.signal(one, signal.SIG_IGN)


@pytest.fixture(autouse=True)
def nothing_is_left_behind(leak_check):
    """Fail the test that leaves processes, descriptors, threads or files behind."""
