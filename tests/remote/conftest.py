"""What the tests of gates share that go over a real network."""

from __future__ import annotations

import pytest

from tests.guard import no_defect_is_told  # noqa: F401 - for the tests of this folder
from tests.remote.network import Network, Unavailable
from understudy import Keyring


@pytest.fixture
def keys(tmp_path):
    """A keyring with a controller and an observer."""
    keyring = Keyring(tmp_path / "keys")
    keyring.new("alice", "controller")
    keyring.new("wall", "observer")
    return keyring


@pytest.fixture
def network(nothing_is_left_behind):
    try:
        made = Network().__enter__()
    except Unavailable as reason:
        pytest.skip(f"no network namespaces here: {reason}")
    yield made
    made.__exit__()
