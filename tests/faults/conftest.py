"""A system for each test, and the hosts that it can choose between."""

from __future__ import annotations

import pytest

from understudy import ActorSystem


@pytest.fixture
def system(nothing_is_left_behind):
    opened = ActorSystem()
    yield opened
    opened.shutdown(force=True)


@pytest.fixture(params=["process", "spawn"])
def host(request):
    return request.param
