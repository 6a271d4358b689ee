"""Systems that are shared by the tests of a module: a refusal leaves nothing behind in one."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from understudy import ActorSystem


@pytest.fixture(scope="module")
def shared() -> Iterator[ActorSystem]:
    with ActorSystem() as opened:
        yield opened


@pytest.fixture
def system() -> Iterator[ActorSystem]:
    with ActorSystem() as opened:
        yield opened
