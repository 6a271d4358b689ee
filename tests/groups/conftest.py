"""A system, and groups of players in it."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.groups.players import Player
from tests.stage import running
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
def troupe(said):
    """Adds players to a group, each named by a letter, and waits until they are up."""

    def add(group, names, kind=Player, **options):
        refs = [group.spawn(kind, name, said, name=name, **options) for name in names]
        running(*refs)
        return refs

    return add


@pytest.fixture
def in_a_thread(nothing_is_left_behind):
    """Has a thread do something; gives the future of it."""
    with ThreadPoolExecutor(1) as pool:
        yield pool.submit
