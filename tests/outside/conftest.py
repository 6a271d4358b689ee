"""A system for each test, and no test in which the router meets a defect of its own."""

from __future__ import annotations

import pytest

from understudy import ActorSystem


@pytest.fixture
def system(nothing_is_left_behind):
    opened = ActorSystem()
    yield opened
    opened.shutdown(force=True)


@pytest.fixture(autouse=True)
def no_defect_is_told(caplog):
    yield
    # Also what is told while the system closes: the router's own word goes by the thread of the log records.
    records = [record for phase in ("call", "teardown") for record in caplog.get_records(phase)]
    told = [record.getMessage() for record in records if record.name.startswith("understudy")]
    assert not [text for text in told if "please report it" in text], told
