"""A system, and an actor in it that does in its process what it is asked to."""

from __future__ import annotations

import pytest

from tests.families.kin import Boss
from understudy import ActorSystem


@pytest.fixture
def system(nothing_is_left_behind):
    opened = ActorSystem()
    yield opened
    opened.shutdown(force=True)


@pytest.fixture
def boss(system):
    return system.spawn(Boss, name="boss")
