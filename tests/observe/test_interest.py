"""What an observer may be asked to follow, and what that comes to at the socket."""

from __future__ import annotations

from typing import Any

import pytest

from understudy import ConfigError, Observer
from understudy.observe.interest import KINDS, Interest


@pytest.mark.parametrize(
    ("names", "known", "unknown"),
    [
        (None, ["a", "a/b"], []),
        ("a", ["a"], ["aa", "a/b", "A", ""]),
        ("a*", ["a", "a/b", "ab"], ["b", "ba"]),
        (["a?", "[bc]"], ["ab", "b", "c"], ["a", "bb", "d"]),
        (iter(["x", "y"]), ["x", "y"], ["z"]),
        ([], [], ["a", ""]),
        ("a.b", ["a.b"], ["axb"]),
        ("\udc80*", [], ["a"]),
    ],
)
def test_names_and_globs_say_who_is_followed(names, known, unknown):
    interest = Interest(names, None)
    assert all(map(interest.knows, known))
    assert not any(map(interest.knows, unknown))
    for name in known:
        assert any(f"{name}|".encode().startswith(topic) for topic in interest.topics), "its events would not come"


def test_all_kinds_but_figures_are_handed_on_unless_some_are_named():
    assert {kind for kind in KINDS if Interest(None, None).wants(kind)} == {*KINDS} - {"figures"}
    assert Interest(None, None).wants("something newer")
    assert {kind for kind in KINDS if Interest(None, ["log", "figures"]).wants(kind)} == {"log", "figures"}
    assert not any(map(Interest(None, []).wants, KINDS))
    assert Interest(None, "log").shows("state"), "the table is right whatever is handed on"
    assert not Interest(None, "log").shows("figures")


REFUSED: list[tuple[dict[str, Any], str]] = [
    ({"names": 5}, "names must be a text, or several; got 5"),
    ({"names": b"a"}, "names must be a text, or several"),
    ({"names": ["a", None]}, "None names no actor here: give a name or a glob"),
    ({"names": ""}, "'' names no actor here"),
    ({"names": "x" * 1025}, "names no actor here"),
    ({"kinds": "status"}, "'status' is no kind of event; there are state, laps, "),
    ({"kinds": ["state", 5]}, "5 is no kind of event"),
    ({"kinds": [["state"]]}, "is no kind of event"),
    ({"kinds": 5}, "kinds must be a text, or several; got 5"),
    ({"timeout": "1"}, "timeout must be a number"),
]


def test_what_cannot_be_followed_is_refused_at_once(system):
    options: dict[str, Any]
    for options, text in REFUSED:
        with pytest.raises(ConfigError, match=text):
            Observer(system.endpoint, **options)
