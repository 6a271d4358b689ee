"""Where a client looks for a system, and what it is told where that can't be one."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from understudy import AccessDenied, ConfigError, Observer, Remote, UnknownActor
from understudy.observe.places import Here, There, place_of
from understudy.status import Role
from understudy.wire.keyring import Keyring

pytestmark = pytest.mark.requirement("A4")


@pytest.fixture
def key(tmp_path):
    keyring = Keyring(tmp_path / "keys")
    keyring.new("alice", Role.OBSERVER)
    return keyring.key_path("alice")


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "shop.example.org", "localhost", "[::1]", "[fe80::1%eth0]", "[fe80::1%br-0A_z]"]
)
def test_what_is_reached_over_tcp_is_a_host_and_a_port(key, host):
    place = place_of(f"tcp://{host}:7700", key)

    assert isinstance(place, There)
    assert place.route().control == f"tcp://{host}:7700"
    assert place.stream(7701) == f"tcp://{host}:7701"
    assert place.may_live()


@pytest.mark.parametrize(
    "endpoint",
    ["tcp://", "tcp://host", "tcp://host:", "tcp://host:0", "tcp://host:65536", "tcp://*:7700", "tcp://a b:1",
     "tcp://::1:7700", "tcp://host:77/x", "tcp:host:7700", "tcp://user@host:7700/",
     "tcp://_a:1", "tcp://-a:1", "tcp://h\u00f6st:1", "tcp://a\0b:1",
     "tcp://a;b:1", "tcp://host:\u0667", "tcp://[::x]:1", "tcp://[fe80::1%]:1", Path("tcp:/host"), "tcp://a:1\n"],
)  # fmt: skip
def test_what_is_no_endpoint_is_refused_with_what_one_is(key, endpoint):
    with pytest.raises(ConfigError, match="write tcp://HOST:PORT"):
        Remote(endpoint, key=key)


def test_without_a_key_nothing_is_tried_and_the_command_that_makes_one_is_named():
    for client in (Observer, Remote):
        with pytest.raises(ConfigError, match="understudy keys new"):
            client("tcp://127.0.0.1:7700")


def test_a_key_is_for_what_is_reached_over_tcp_alone(key):
    for endpoint in ("a-name", "ipc:///nowhere"):
        with pytest.raises(ConfigError, match="on this machine"):
            Remote(endpoint, key=key)


@pytest.mark.fault("F54")
def test_a_key_that_others_can_read_is_refused(key):
    os.chmod(key, 0o640)

    with pytest.raises(AccessDenied, match="0600"):
        Remote("tcp://127.0.0.1:7700", key=key)


@pytest.mark.parametrize("given", ["missing.key", 7, b"", ""])
def test_what_is_no_key_is_refused_at_once(tmp_path, monkeypatch, given):
    monkeypatch.chdir(tmp_path)

    with pytest.raises(ConfigError):
        Remote("tcp://127.0.0.1:7700", key=given)


def test_a_local_system_is_found_by_its_name_as_before(system):
    place = place_of(system.name, None)

    assert isinstance(place, Here)
    assert place.may_live()
    with pytest.raises(UnknownActor, match="no system named"):
        place_of("nobody-of-that-name", None)
