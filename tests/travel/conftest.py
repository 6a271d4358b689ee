"""A system for each test that asks for one."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from understudy import ActorSystem


@pytest.fixture
def system() -> Iterator[ActorSystem]:
    with ActorSystem() as opened:
        yield opened
