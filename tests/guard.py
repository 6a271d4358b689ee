"""What the folders take into their conftest whose tests are no place for a defect of the router."""

from __future__ import annotations

import pytest


@pytest.fixture(autouse=True)
def no_defect_is_told(caplog):
    yield
    # Also what is told while the system closes: the router's own word goes by the thread of the log records.
    records = [record for phase in ("call", "teardown") for record in caplog.get_records(phase)]
    told = [record.getMessage() for record in records if record.name.startswith("understudy")]
    assert not [text for text in told if "please report it" in text], told
