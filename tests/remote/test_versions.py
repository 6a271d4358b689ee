"""Who speaks another version of the protocol is told so, with both numbers, at either end."""

from __future__ import annotations

import pytest

from tests.gates.far import Far
from tests.observe.raw import Raw
from understudy import ActorSystem, Observer, ProtocolError, Remote
from understudy.wire.codec import VERSION
from understudy.wire.keyring import read_key

pytestmark = pytest.mark.fault("F55")
OTHERS = (VERSION - 1, VERSION + 1)


@pytest.fixture
def system(nothing_is_left_behind, keys):
    with ActorSystem(control="tcp://127.0.0.1:0", keys=keys.directory) as opened:
        yield opened


def test_a_request_of_another_version_is_answered_with_both_by_a_gate_and_by_a_local_socket(system, keys):
    far, near = Far(system.gates[0].endpoint, read_key(keys.key_path("alice"))), Raw(system.endpoint)
    try:
        for client in (far, near):
            for version in OTHERS:
                reply = client.ask("ps", v=version)
                assert (reply["ok"], reply["error"], reply["reason"]) == (False, "ProtocolError", "version")
                assert f"version {version}, this is {VERSION}" in reply["text"]
                assert client.ask("ps")["ok"]
    finally:
        far.close()
        near.close()


@pytest.mark.parametrize("version", OTHERS)
def test_clients_of_another_version_raise_an_error_that_names_both(system, keys, monkeypatch, version):
    monkeypatch.setattr("understudy.observe.client.VERSION", version)
    places = [{"endpoint": system.endpoint}, {"endpoint": system.gates[0].endpoint, "key": keys.key_path("alice")}]

    for place in places:
        with Remote(**place, timeout=60) as far, pytest.raises(ProtocolError, match=rf"{version}, this is {VERSION}"):
            far.ps()
        with pytest.raises(ProtocolError, match=rf"{version}, this is {VERSION}"), Observer(**place, timeout=60):
            pytest.fail("it follows")


@pytest.mark.parametrize("version", OTHERS)
def test_who_hears_a_stream_of_another_version_stops_with_both(system, keys, monkeypatch, version):
    for place in ({"endpoint": system.endpoint}, {"endpoint": system.gates[0].endpoint, "key": keys.key_path("wall")}):
        with Observer(**place, timeout=60) as observer:
            monkeypatch.setattr("understudy.observe.publisher.VERSION", version)
            with pytest.raises(ProtocolError, match=rf"version {version}, this is {VERSION}"):
                observer.next(60)
            monkeypatch.undo()
