"""A system on the loopback, whatever the environment says afterwards: its children learn it from its directory."""

from __future__ import annotations

import os

import pytest

from tests.guard import no_defect_is_told  # noqa: F401 - for the tests of this folder
from understudy import ActorSystem


def opened(**options):
    """A system whose sockets are on the loopback."""
    before = os.environ.get("UNDERSTUDY_TRANSPORT")
    os.environ["UNDERSTUDY_TRANSPORT"] = "tcp"
    try:
        return ActorSystem(**options)
    finally:
        os.environ["UNDERSTUDY_TRANSPORT"] = before or "ipc"


@pytest.fixture
def system(nothing_is_left_behind):
    made = opened()
    yield made
    made.shutdown(force=True)


@pytest.fixture
def directory(system):
    return system.endpoint.removeprefix("ipc://")
