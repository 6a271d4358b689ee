"""A system for each test, one in it that watches, and no test in which the router meets a defect of its own."""

from __future__ import annotations

import pytest

from tests.guard import no_defect_is_told  # noqa: F401 - for the tests of this folder
from tests.watching.cast import Watcher
from understudy import ActorSystem


@pytest.fixture
def system(nothing_is_left_behind):
    opened = ActorSystem()
    yield opened
    opened.shutdown(force=True)


@pytest.fixture
def said(tmp_path):
    return tmp_path / "said"


@pytest.fixture
def watcher(system, said):
    return system.spawn(Watcher, said, name="watcher")
