"""A keyring, a system with gates, and clients that are closed at the end."""

from __future__ import annotations

import logging

import pytest

from tests.gates.far import Far
from tests.guard import no_defect_is_told  # noqa: F401 - for the tests of this folder
from understudy import ActorSystem
from understudy.wire.keyring import Keyring


@pytest.fixture
def keyring(tmp_path):
    """Of ``eve``, an observer, and ``carl``, a controller."""
    made = Keyring(tmp_path / "keys")
    made.new("eve", "observer")
    made.new("carl", "controller")
    return made


@pytest.fixture
def system(keyring, nothing_is_left_behind):
    opened = ActorSystem(control="tcp://127.0.0.1:0", keys=keyring.directory)
    yield opened
    opened.shutdown(force=True)


@pytest.fixture
def far(keyring, system):
    """Makes clients: of that name, at the system's first gate or another endpoint."""
    made = []

    def make(name, endpoint=None, *, key=None, **options):
        from understudy.wire.keyring import read_key

        key = key or read_key(keyring.key_path(name))
        made.append(Far(endpoint or system.gates[0].endpoint, key, **options))
        return made[-1]

    yield make
    for client in made:
        client.close()


@pytest.fixture
def audit(caplog):
    """The records of the audit log so far."""
    caplog.set_level(logging.INFO, "understudy.audit")
    return lambda: [record for record in caplog.records if record.name == "understudy.audit"]
