"""`understudy keys`: who may come in over a network, for people and for programs; what is secret is never printed."""

from __future__ import annotations

import re
import stat
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from understudy.cli.completion import members
from understudy.cli.exits import DENIED, DONE, FAILED, REFUSED
from understudy.wire.keyring import Keyring, read_key


@pytest.fixture
def ring(tmp_path: Path, monkeypatch) -> Keyring:
    """This user's keyring, which is not made yet."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    return Keyring()


def secrets(*files: Path) -> set[str]:
    return {read_key(file).pair.secret for file in files}


def test_a_new_key_is_told_with_its_file_and_the_next_step_but_not_its_secret(say, ring: Keyring):
    done = say("keys", "new", "anna", "--role", "observer")
    assert (done.code, done.err) == (DONE, "")
    assert str(ring.key_path("anna")) in done.out
    assert "understudy --connect tcp://HOST:7700 --key anna.key top" in done.out
    assert "observer" in done.out
    (secret,) = secrets(ring.key_path("anna"))
    assert secret not in done.out
    assert ring.server().secret not in done.out
    assert [each.name for each in ring.members().values()] == ["anna"]


def test_a_program_gets_the_file_as_json(say, ring: Keyring):
    done = say("keys", "new", "bert", "--role=controller", "--json")
    assert done.json == {"name": "bert", "role": "controller", "file": str(ring.key_path("bert"))}
    assert read_key(done.json["file"]).role == "controller"
    assert say("keys", "revoke", "bert", "--json").json == {"name": "bert", "role": "controller"}


def test_a_key_for_elsewhere_is_in_that_file_alone_and_overwrites_none(say, ring: Keyring, tmp_path: Path):
    place = tmp_path / "a stick" / "anna.key"
    missing = say("keys", "new", "anna", "--role", "observer", "--out", str(place))
    assert missing.code == FAILED
    assert missing.err.count("\n") == 1
    assert ring.members() == {}
    place.parent.mkdir()
    done = say("keys", "new", "anna", "--role", "observer", "--out", str(place))
    assert (done.code, done.err) == (DONE, "")
    assert str(place) in done.out
    assert stat.S_IMODE(place.stat().st_mode) == 0o600
    assert not ring.key_path("anna").exists()
    kept = place.read_text()
    again = say("keys", "new", "bert", "--role", "observer", "--out", str(place))
    assert (again.code, again.out) == (REFUSED, "")
    assert "not overwritten" in again.err
    assert place.read_text() == kept
    assert [each.name for each in ring.members().values()] == ["anna"]


def test_the_list_tells_who_may_come_who_may_not_any_more_and_what_cannot_be_read(say, ring: Keyring):
    assert say("keys", "list").out == f"(no keyring at {ring.directory})\n"
    assert say("keys", "list", "--json").json == []
    for name, role in (("bert", "controller"), ("anna", "observer"), ("carl", "observer")):
        assert say("keys", "new", name, "--role", role).code == DONE
    assert say("keys", "revoke", "bert").code == DONE
    broken = ring.directory / "clients" / "dora.pub"
    broken.write_text("nothing")
    shown = say("keys", "list")
    lines = [re.sub(r" +\d{4}-\d\d-\d\d \d\d:\d\d +", " … ", line).split() for line in shown.out.splitlines()]
    assert lines == [
        ["name", "role", "since", "state"],
        ["anna", "observer", "…", "may", "come"],
        ["carl", "observer", "…", "may", "come"],
        ["bert", "controller", "…", "revoked"],
    ]
    assert shown.err.startswith("understudy keys: nobody comes in by clients/dora.pub: ")
    rows = say("keys", "list", "--json").json
    assert [(row["name"], row["role"], row["revoked"], row["problem"] is None) for row in rows] == [
        ("anna", "observer", False, True),
        ("carl", "observer", False, True),
        ("bert", "controller", True, True),
        ("clients/dora.pub", None, False, False),
    ]
    broken.unlink()
    assert say("keys", "list").err == ""


def test_another_keyring_is_named_by_an_option(say, ring: Keyring, tmp_path: Path):
    assert say("keys", "new", "anna", "--role", "observer", "--keys", str(tmp_path / "other")).code == DONE
    assert not ring.directory.exists()
    assert [row["name"] for row in say("keys", "list", "--json", "--keys", str(tmp_path / "other")).json] == ["anna"]
    assert say("keys", "revoke", "anna", "--keys", str(tmp_path / "other")).code == DONE
    assert say("keys", "list", "--keys", str(tmp_path / "other")).out.count("revoked") == 1


@pytest.mark.parametrize(
    ("words", "code", "part"),
    [
        (("new", "anna", "--role", "observer"), FAILED, "'anna' has a key in"),
        (("new", "a/b", "--role", "observer"), REFUSED, "is no name for a key"),
        (("new", "bert", "--role", "admin"), REFUSED, "observer or controller"),
        (("new", "bert"), REFUSED, "--role"),
        (("new",), REFUSED, "NAME"),
        (("revoke", "anne"), REFUSED, "did you mean anna?"),
        (("revoke", "xyz"), REFUSED, "there is anna"),
        (("revok", "anna"), REFUSED, "there is keys revoke"),
        (("list", "--nosuch"), REFUSED, "--nosuch"),
        (("list", "--keys", ""), REFUSED, "no path"),
    ],
)
def test_what_is_wrong_is_one_line_with_the_nearest(say, ring: Keyring, words: tuple[str, ...], code: int, part: str):
    ring.new("anna", "observer")
    done = say("keys", *words)
    assert (done.code, done.out) == (code, ""), done
    assert part in done.err
    assert done.err.startswith("understudy keys: ")
    assert done.err.count("\n") == 1
    assert [each.name for each in ring.members().values()] == ["anna"]


@pytest.mark.fault("F56")
@pytest.mark.parametrize("words", [("new", "bert", "--role", "observer"), ("list",), ("revoke", "anna")])
def test_a_keyring_that_others_could_use_is_refused_in_one_line(say, ring: Keyring, words: tuple[str, ...]):
    ring.new("anna", "observer")
    ring.directory.chmod(0o755)
    done = say("keys", *words)
    assert (done.code, done.out) == (DENIED, "")
    assert "mode 0700" in done.err
    assert done.err.count("\n") == 1


def test_the_help_says_what_there_is(say):
    whole = say("keys", "--help")
    assert whole.code == DONE
    for verb in ("new", "list", "revoke"):
        assert verb in whole.out
        assert say("keys", verb, "-h").code == DONE


def test_keys_are_about_no_running_system(say, ring: Keyring):
    for option in ("--system", "--connect", "--key"):
        done = say(option, "x", "keys", "list")
        assert (done.code, done.out) == (REFUSED, "")
        assert f"{option} is for verbs on a running system" in done.err


def context(**params: object) -> Any:
    """What a completion is told of the words before."""
    return SimpleNamespace(params=params)


def test_the_names_of_a_keyring_are_offered(ring: Keyring, tmp_path: Path):
    assert members(context(), "") == []
    for name in ("anna", "anton", "bert"):
        ring.new(name, "observer")
    ring.revoke("anton")
    assert members(context(keyring=None), "a") == ["anna"]
    assert members(context(keyring=str(tmp_path / "none")), "") == []
