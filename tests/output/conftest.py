"""A system for each test, and no test in which the router meets a defect of its own."""

from __future__ import annotations

import pytest

from understudy import ActorSystem


@pytest.fixture
def system(nothing_is_left_behind):
    opened = ActorSystem()
    yield opened
    opened.shutdown(force=True)


@pytest.fixture(params=["process", "spawn"])
def host(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(autouse=True)
def no_defect_is_told(caplog):
    yield
    told = [record.getMessage() for record in caplog.get_records("call") if record.name.startswith("understudy")]
    assert not [text for text in told if "please report it" in text], told
