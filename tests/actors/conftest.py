"""A system for each test, and the two kinds of host."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import pytest

from tests.stage import Keeps
from understudy import ActorSystem

HOSTS = ("process", "spawn")


@pytest.fixture
def system() -> Iterator[ActorSystem]:
    with ActorSystem() as opened:
        yield opened


@pytest.fixture(params=HOSTS)
def host(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def records() -> Iterator[list[logging.LogRecord]]:
    """What reaches a handler of the root logger, at level DEBUG."""
    root, keeps = logging.getLogger(), Keeps()
    level = root.level
    root.addHandler(keeps)
    root.setLevel(logging.DEBUG)
    yield keeps.records
    root.removeHandler(keeps)
    root.setLevel(level)
