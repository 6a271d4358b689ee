"""A keyring: files that only this user can have written say who may come in, from one moment to the next."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from understudy.errors import AccessDenied, ConfigError, NameTaken
from understudy.status import Role
from understudy.wire import keyfiles, keyring
from understudy.wire.keyring import Keyring, Member, default_directory, read_key
from understudy.wire.sockets.curve import is_key, is_pair, new_pair


@pytest.fixture
def ring(tmp_path: Path) -> Keyring:
    return Keyring(tmp_path / "keys")


def names(ring: Keyring) -> list[str]:
    return sorted(member.name for member in ring.members().values())


def client(ring: Keyring, name: str) -> Path:
    return ring.directory / "clients" / f"{name}.pub"


def mode(path: Path) -> int:
    return stat.S_IMODE(path.lstat().st_mode)


def test_a_new_key_makes_a_keyring_of_files_that_only_this_user_can_read(ring: Keyring):
    old = os.umask(0)
    try:
        made = ring.new("anna", "observer")
    finally:
        os.umask(old)
    found = {str(path.relative_to(ring.directory)): mode(path) for path in ring.directory.rglob("*")}
    assert found == {"server.key": 0o600, "clients": 0o700, "clients/anna.pub": 0o600, "anna.key": 0o600}
    assert mode(ring.directory) == 0o700
    assert read_key(ring.key_path("anna")) == made
    assert made.server == ring.server().public
    (member,) = ring.members().values()
    assert (member.name, member.role, member.public) == ("anna", Role.OBSERVER, made.pair.public)
    assert made.pair.secret not in client(ring, "anna").read_text()
    assert made.pair.secret not in repr(made)


def test_all_keys_of_a_keyring_are_for_the_same_system_and_each_is_another(ring: Keyring):
    one, other = ring.new("anna", Role.OBSERVER), ring.new("bert", Role.CONTROLLER)
    assert one.server == other.server == ring.server().public
    assert one.pair != other.pair
    assert {each.name: each.role for each in ring.members().values()} == {"anna": "observer", "bert": "controller"}


@pytest.mark.parametrize(
    "name", ["", "server", "Server", ".anna", "-a", "a/b", "../a", "a b", "ä", "a" * 65, None, 7, b"a"]
)
def test_what_is_no_name_is_refused_and_nothing_is_made(ring: Keyring, name: object):
    with pytest.raises(ConfigError, match="no name for a key"):
        ring.new(name, "observer")  # type: ignore[arg-type]
    assert not ring.directory.exists()


def test_what_is_no_role_is_refused_with_the_roles(ring: Keyring):
    with pytest.raises(ConfigError, match="observer or controller"):
        ring.new("anna", "admin")
    assert not ring.directory.exists()


@pytest.mark.parametrize("given", ["", 7, None, "a\0b"])
def test_what_is_no_path_is_refused(given: object):
    with pytest.raises(ConfigError, match="no path"):
        read_key(given)  # type: ignore[arg-type]


def test_the_keyring_lies_where_the_users_settings_are(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    assert default_directory() == tmp_path / "understudy" / "keys" == Keyring().directory
    monkeypatch.delenv("XDG_CONFIG_HOME")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert Keyring().directory == tmp_path / ".config" / "understudy" / "keys"
    assert Keyring("~/mine").directory == tmp_path / "mine"


def test_nobody_comes_in_where_there_is_no_keyring_and_it_has_no_server(ring: Keyring):
    assert ring.members() == {}
    assert ring.revoked() == []
    with pytest.raises(ConfigError, match="there is no keyring"):
        ring.server()
    with pytest.raises(ConfigError, match="there is no keyring"):
        ring.revoke("anna")
    ring.new("anna", "observer")
    assert names(ring) == ["anna"]


# --- others


@pytest.mark.fault("F56")
@pytest.mark.parametrize("bits", [0o604, 0o640, 0o620, 0o602, 0o601])
def test_a_secret_that_others_could_use_is_refused_with_the_command_that_mends_it(ring: Keyring, bits: int):
    ring.new("anna", "observer")
    for path in (ring.key_path("anna"), ring.directory / "server.key"):
        path.chmod(bits)
    with pytest.raises(AccessDenied, match=r"chmod 600 .*anna\.key"):
        read_key(ring.key_path("anna"))
    with pytest.raises(AccessDenied, match=r"chmod 600 .*server\.key"):
        ring.server()
    with pytest.raises(AccessDenied, match=r"server\.key"):
        ring.new("bert", "observer")
    assert names(ring) == ["anna"]


@pytest.mark.fault("F56")
@pytest.mark.parametrize("folder", [".", "clients"])
@pytest.mark.parametrize("bits", [0o770, 0o707, 0o750, 0o701])
def test_a_directory_that_others_could_enter_lets_nobody_in_from_that_moment_on(ring: Keyring, folder: str, bits: int):
    ring.new("anna", "observer")
    assert names(ring) == ["anna"]
    (ring.directory / folder).chmod(bits)
    for act in (ring.members, lambda: ring.new("bert", "observer")):
        with pytest.raises(AccessDenied, match="mode 0700"):
            act()
    (ring.directory / folder).chmod(0o700)
    assert names(ring) == ["anna"]


@pytest.mark.fault("F56")
def test_what_belongs_to_another_user_is_refused(ring: Keyring, monkeypatch: pytest.MonkeyPatch):
    ring.new("anna", "observer")
    assert names(ring) == ["anna"]
    here = os.geteuid()
    monkeypatch.setattr(os, "geteuid", lambda: here + 1)
    with pytest.raises(AccessDenied, match="must belong to this user"):
        read_key(ring.key_path("anna"))
    for act in (ring.server, Keyring(ring.directory).members, lambda: ring.new("bert", "observer")):
        with pytest.raises(AccessDenied, match="belongs to this user"):
            act()


@pytest.mark.fault("F56")
def test_a_members_file_that_others_could_write_lets_nobody_in(ring: Keyring):
    ring.new("anna", "observer")
    client(ring, "anna").chmod(0o620)
    assert names(ring) == []
    assert "chmod 600" in ring.unread["clients/anna.pub"]
    client(ring, "anna").chmod(0o644)
    assert names(ring) == ["anna"]
    assert ring.unread == {}


# --- what is no file of a keyring


def write(path: Path, **values: object) -> None:
    path.write_text("".join(f"{key} = {json.dumps(value)}\n" for key, value in values.items()))
    path.chmod(0o600)


PUBLIC = new_pair().public
RIGHT = {"name": "anna", "role": "observer", "public": PUBLIC, "since": 1.5}
WRONG = {
    "no name": {**RIGHT, "name": None},
    "another name": {**RIGHT, "name": "bert"},
    "a path": {**RIGHT, "name": "../anna"},
    "no such role": {**RIGHT, "role": "root"},
    "roles": {**RIGHT, "role": ["observer"]},
    "a short key": {**RIGHT, "public": PUBLIC[:-5]},
    "a long key": {**RIGHT, "public": PUBLIC + "00000"},
    "no Z85": {**RIGHT, "public": "~" * 40},
    "no 32 bytes": {**RIGHT, "public": "#" * 40},
    "no ASCII": {**RIGHT, "public": "ä" * 40},
    "a number": {**RIGHT, "public": 7},
    "an early time": {**RIGHT, "since": -1},
    "a late time": {**RIGHT, "since": 10**400},
    "no time": {**RIGHT, "since": "now"},
    "true": {**RIGHT, "since": True},
}


@pytest.mark.parametrize("values", [pytest.param(values, id=name) for name, values in WRONG.items()])
def test_a_file_that_is_wrong_lets_nobody_in_keeps_nobody_out_and_is_told(ring: Keyring, values: dict[str, object]):
    ring.new("zoe", "observer")
    write(client(ring, "anna"), **{key: value for key, value in values.items() if value is not None})
    assert names(ring) == ["zoe"]
    assert list(ring.unread) == ["clients/anna.pub"]
    with pytest.raises(NameTaken, match="remove it first"):
        ring.new("anna", "observer")
    with pytest.raises(ConfigError, match="remove it"):
        ring.revoke("anna")
    write(client(ring, "anna"), **RIGHT)
    assert names(ring) == ["anna", "zoe"]
    assert ring.unread == {}


@pytest.mark.parametrize(
    "text",
    [b"", b"\xff\xfe", b"name", b"x = " + b"[" * 4000, b"# " + b"x" * 5000, b"since = nan", b"since = " + b"9" * 4050],
)
def test_what_is_no_toml_or_no_end_of_it_is_no_key(ring: Keyring, text: bytes):
    ring.new("zoe", "observer")
    for path in (client(ring, "anna"), ring.directory / "anna.key"):
        path.write_bytes(text)
        path.chmod(0o600)
    assert names(ring) == ["zoe"]
    assert list(ring.unread) == ["clients/anna.pub"]
    with pytest.raises(ConfigError, match="is no "):
        read_key(ring.directory / "anna.key")


@pytest.mark.parametrize("field", ["name", "role", "public", "secret", "server"])
@pytest.mark.parametrize("value", [None, 7, "", "x", ["a"], "#" * 40])
def test_a_clients_key_with_a_field_that_is_wrong_is_refused(ring: Keyring, field: str, value: object):
    ring.new("anna", "observer")
    path = ring.key_path("anna")
    lines = [line for line in path.read_text().splitlines() if not line.startswith(f"{field} =")]
    if value is not None:
        lines.append(f"{field} = {json.dumps(value)}")
    path.write_text("\n".join(lines))
    if (field, value) == ("name", "x"):
        assert read_key(path).name == "x"
        return
    with pytest.raises(ConfigError, match="is no client's key"):
        read_key(path)


def test_halves_of_two_keys_are_refused(ring: Keyring):
    one, other = ring.new("anna", "observer"), ring.new("bert", "observer")
    path = ring.key_path("anna")
    path.write_text(path.read_text().replace(one.pair.secret, other.pair.secret))
    with pytest.raises(ConfigError, match="do not belong to each other"):
        read_key(path)
    server = ring.directory / "server.key"
    server.write_text(server.read_text().replace(ring.server().secret, other.pair.secret))
    with pytest.raises(ConfigError, match="do not belong to each other"):
        ring.server()


def test_what_is_no_regular_file_is_refused_without_a_wait(ring: Keyring):
    ring.new("anna", "observer")
    os.mkfifo(client(ring, "pipe"), 0o600)
    client(ring, "folder").mkdir(0o700)
    client(ring, "loop").symlink_to(client(ring, "loop"))
    client(ring, "nowhere").symlink_to(ring.directory / "nothing")
    client(ring, "zero").symlink_to("/dev/zero")
    assert names(ring) == ["anna"]
    assert sorted(ring.unread) == [f"clients/{name}.pub" for name in ("folder", "loop", "nowhere", "pipe", "zero")]
    for name in ("pipe", "folder", "loop", "nowhere", "zero"):
        with pytest.raises(ConfigError, match="cannot be read"):
            read_key(client(ring, name))


def test_a_link_that_leads_nowhere_hides_no_change(ring: Keyring):
    ring.new("anna", "observer")
    ring.new("bert", "observer")
    client(ring, "nowhere").symlink_to(ring.directory / "nothing")
    assert names(ring) == ["anna", "bert"]
    client(ring, "anna").unlink()
    assert names(ring) == ["bert"]


@pytest.mark.fault("F56")
def test_a_link_to_a_file_that_others_could_write_lets_nobody_in(ring: Keyring, tmp_path: Path):
    ring.new("anna", "observer")
    outside = tmp_path / "anna.pub"
    client(ring, "anna").rename(outside)
    client(ring, "anna").symlink_to(outside)
    assert names(ring) == ["anna"]
    outside.chmod(0o666)
    assert names(ring) == []


def test_a_new_key_does_not_write_through_a_link(ring: Keyring, tmp_path: Path):
    ring.new("anna", "observer")
    outside = tmp_path / "theirs"
    outside.write_text("theirs")
    ring.key_path("bert").symlink_to(outside)
    ring.new("bert", "observer")
    assert outside.read_text() == "theirs"
    assert not ring.key_path("bert").is_symlink()
    client(ring, "carl").symlink_to(tmp_path / "carl.pub")
    with pytest.raises(NameTaken):
        ring.new("carl", "observer")
    assert not (tmp_path / "carl.pub").exists()


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.one_of(st.binary(max_size=300), st.text(alphabet='name="role\n#[]{}.,0aé', max_size=120).map(str.encode)))
def test_garbage_is_no_key_whatever_it_is(tmp_path: Path, garbage: bytes):
    ring = Keyring(tmp_path / "keys")
    if not ring.directory.exists():
        ring.new("zoe", "observer")
    for path in (client(ring, "anna"), ring.directory / "anna.key"):
        path.write_bytes(garbage)
        path.chmod(0o600)
    assert names(ring) == ["zoe"]
    assert list(ring.unread) == ["clients/anna.pub"]
    with pytest.raises(ConfigError):
        read_key(ring.directory / "anna.key")


@given(st.text(max_size=50) | st.text(alphabet="0123456789#$%abcXYZ", min_size=40, max_size=40) | st.integers())
def test_whether_something_is_a_key_can_be_asked_of_anything(text: object):
    assert is_key(text) in {True, False}


def test_what_a_new_pair_holds_are_keys_of_one_pair():
    one, other = new_pair(), new_pair()
    assert all(map(is_key, (one.public, one.secret)))
    assert is_pair(one)
    assert not is_pair(type(one)(one.public, other.secret))


# --- from one moment to the next


def test_each_change_holds_at_once(ring: Keyring):
    ring.new("anna", "observer")
    assert names(ring) == ["anna"]
    Keyring(ring.directory).new("bert", "observer")
    assert names(ring) == ["anna", "bert"]
    Keyring(ring.directory).revoke("anna")
    assert names(ring) == ["bert"]
    client(ring, "bert").rename(ring.directory / "bert.away")
    assert names(ring) == []
    (ring.directory / "bert.away").rename(client(ring, "bert"))
    assert names(ring) == ["bert"]


def test_a_file_that_is_edited_in_place_again_and_again_holds_at_once(ring: Keyring):
    ring.new("anna", "observer")
    text = client(ring, "anna").read_text()
    (public,) = ring.members()
    found = os.stat(client(ring, "anna"))
    for number in range(300):  # of one size, and mostly of one time of the file system's
        digit = str(number % 10)
        other = digit * 40
        client(ring, "anna").write_text(text.replace(public, other))
        os.utime(client(ring, "anna"), ns=(found.st_atime_ns, found.st_mtime_ns))
        assert list(ring.members()) == [other]


def test_where_two_changes_of_a_second_look_the_same_each_holds_at_once(ring: Keyring, monkeypatch: pytest.MonkeyPatch):
    ring.new("anna", "observer")
    look = keyfiles.look

    def roughly(folder: Path) -> tuple[object, list[int]]:
        """As on a file system that knows whole seconds only, all in one of them."""
        _, moments = look(folder)
        return folder.name, [moment // 10**9 * 10**9 for moment in moments]

    monkeypatch.setattr(keyfiles, "look", roughly)
    text = client(ring, "anna").read_text()
    (public,) = ring.members()
    for digit in "0123456789":
        client(ring, "anna").write_text(text.replace(public, digit * 40))
        assert list(ring.members()) == [digit * 40]


def test_what_is_old_is_not_read_again_and_a_change_of_it_holds_all_the_same(
    ring: Keyring, monkeypatch: pytest.MonkeyPatch
):
    ring.new("anna", "observer")
    monkeypatch.setattr(keyring, "_SHARPNESS", -3600.0)  # as if the files had lain there for an hour
    first = ring.members()
    assert ring.members() is first
    client(ring, "anna").chmod(0o666)
    assert ring.members() == {}
    client(ring, "anna").chmod(0o600)
    assert names(ring) == ["anna"]
    ring.revoke("anna")
    assert ring.members() == {}


# --- taken away


def test_who_is_revoked_comes_in_no_more_and_is_listed_as_such(ring: Keyring):
    made = ring.new("anna", "controller")
    ring.new("bert", "observer")
    taken = ring.revoke("anna")
    assert isinstance(taken, Member)
    assert (taken.name, taken.public) == ("anna", made.pair.public)
    assert names(ring) == ["bert"]
    (gone,) = ring.revoked()
    assert (gone.name, gone.role, gone.public) == ("anna", Role.CONTROLLER, made.pair.public)
    assert gone.since >= taken.since - 1
    assert not ring.key_path("anna").exists()
    assert mode(ring.directory / "revoked") == 0o700


def test_a_revoked_name_that_is_made_anew_has_another_key_and_the_old_one_stays_out(ring: Keyring):
    old = ring.new("anna", "controller")
    kept = ring.key_path("anna").read_text()
    ring.revoke("anna")
    new = ring.new("anna", "observer")
    assert new.pair.public != old.pair.public
    assert list(ring.members()) == [new.pair.public]
    assert read_key(ring.key_path("anna")) == new
    assert old.pair.secret in kept
    ring.revoke("anna")
    assert [each.name for each in ring.revoked()] == ["anna", "anna"]
    assert ring.members() == {}


def test_a_revoked_key_that_somebody_puts_back_beside_its_revocation_stays_out(ring: Keyring):
    ring.new("anna", "controller")
    kept = client(ring, "anna").read_text()
    ring.revoke("anna")
    client(ring, "anna").write_text(kept)
    client(ring, "anna").chmod(0o600)
    assert ring.members() == {}
    assert ring.unread == {"clients/anna.pub": "this key was revoked"}
    (taken,) = (ring.directory / "revoked").iterdir()
    taken.unlink()
    assert names(ring) == ["anna"]


def test_one_key_under_two_names_is_that_of_the_first(ring: Keyring):
    made = ring.new("anna", "observer")
    text = client(ring, "anna").read_text()
    client(ring, "bert").write_text(text.replace("anna", "bert").replace("observer", "controller"))
    client(ring, "bert").chmod(0o600)
    assert {public: each.name for public, each in ring.members().items()} == {made.pair.public: "anna"}
    assert "anna" in ring.unread["clients/bert.pub"]
    ring.revoke("anna")
    assert ring.members() == {}


def test_of_an_unknown_name_the_nearest_are_told(ring: Keyring):
    with pytest.raises(ConfigError, match="there is no keyring"):
        ring.revoke("anna")
    ring.new("anna", "observer")
    ring.new("bert", "observer")
    with pytest.raises(ConfigError, match=r"'anne' has no key in .*; did you mean anna\?"):
        ring.revoke("anne")
    with pytest.raises(ConfigError, match="there is anna, bert"):
        ring.revoke("../../x")
    ring.revoke("anna")
    ring.revoke("bert")
    with pytest.raises(ConfigError, match="there is none"):
        ring.revoke("anna")


# --- elsewhere


def test_a_key_for_elsewhere_leaves_none_in_the_keyring(ring: Keyring, tmp_path: Path):
    old = os.umask(0)
    try:
        made = ring.new("anna", "observer", out=tmp_path / "stick.key")
    finally:
        os.umask(old)
    assert read_key(tmp_path / "stick.key") == made
    assert mode(tmp_path / "stick.key") == 0o600
    assert not ring.key_path("anna").exists()
    assert names(ring) == ["anna"]


def refused_places(tmp_path: Path) -> list[Path]:
    (tmp_path / "there").write_text("theirs")
    (tmp_path / "link").symlink_to(tmp_path / "target")
    return [tmp_path / "there", tmp_path / "link", tmp_path / "no" / "such", tmp_path]


def test_where_a_key_cannot_be_written_nobody_is_let_in_and_nothing_is_overwritten(ring: Keyring, tmp_path: Path):
    for place in refused_places(tmp_path):
        with pytest.raises(OSError, match=str(place)):
            ring.new("anna", "observer", out=place)
        assert names(ring) == []
    assert (tmp_path / "there").read_text() == "theirs"
    assert not (tmp_path / "target").exists()
    assert not list(ring.directory.rglob("*anna*"))
    ring.new("anna", "observer")


def test_where_a_member_cannot_be_written_no_key_is_left(ring: Keyring, monkeypatch: pytest.MonkeyPatch):
    ring.new("zoe", "observer")

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(keyfiles, "write", full)
    with pytest.raises(OSError, match="No space"):
        ring.new("anna", "observer")
    assert not list(ring.directory.rglob("*anna*"))


# --- two at once

AT_ONCE = """
import sys
from understudy.errors import NameTaken
from understudy.wire.keyring import Keyring
ring = Keyring(sys.argv[1])
print("ready", flush=True)
sys.stdin.readline()
for number in range(20):
    try:
        print(ring.new(f"n{number}", "observer").pair.public, flush=True)
    except NameTaken:
        print("taken", flush=True)
"""


def test_of_two_who_make_the_same_names_at_once_each_name_is_one_s(ring: Keyring):
    makers = [
        subprocess.Popen(
            [sys.executable, "-c", AT_ONCE, str(ring.directory)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(2)
    ]
    for maker in makers:
        assert maker.stdout is not None
        assert maker.stdout.readline() == "ready\n"
    for maker in makers:
        assert maker.stdin is not None
        maker.stdin.write("go\n")
        maker.stdin.flush()
    said = [maker.communicate()[0].split() for maker in makers]
    assert [maker.returncode for maker in makers] == [0, 0]
    assert len(ring.members()) == 20
    for number, pair in enumerate(zip(*said, strict=True)):
        (public,) = [word for word in pair if word != "taken"]
        key = read_key(ring.key_path(f"n{number}"))
        assert key.pair.public == public
        assert ring.members()[public].name == key.name == f"n{number}"
        assert key.server == ring.server().public
    assert not list(ring.directory.rglob(".new-*"))


@pytest.mark.parametrize("act", [lambda ring: ring.new("n", "observer"), lambda ring: ring.revoke("zoe")])
def test_who_changes_it_leaves_no_descriptor(ring: Keyring, act: Callable[[Keyring], object]):
    ring.new("zoe", "observer")
    before = len(os.listdir("/proc/self/fd"))
    act(ring)
    for _ in range(20):
        with pytest.raises((ConfigError, NameTaken)):
            act(ring)
    assert len(os.listdir("/proc/self/fd")) == before
