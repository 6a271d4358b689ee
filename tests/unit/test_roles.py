"""What each role may do and see, as a table; and that nothing else comes through, whatever is asked for."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from understudy.router import roles
from understudy.router.control import VERBS
from understudy.stats import ErrorEvent, Stats
from understudy.status import ActorInfo, Role

OBSERVERS = ["hello", "snapshot", "replay", "ps", "info", "healthy", "summary"]
HIDDEN = "s3cret"
plain = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
several_lines = st.text(max_size=10).map(lambda text: f"first\n{HIDDEN}{text}")


def test_observers_may_look_and_controllers_may_do_all():
    assert [name for name, verb in VERBS.items() if roles.may(Role.OBSERVER, verb.least)] == OBSERVERS
    assert all(roles.may(Role.CONTROLLER, verb.least) for verb in VERBS.values())
    assert not any(verb.changes for name, verb in VERBS.items() if name in OBSERVERS)


@pytest.mark.parametrize(
    ("gate", "key", "role"),
    [
        (Role.OBSERVER, Role.OBSERVER, Role.OBSERVER),
        (Role.OBSERVER, Role.CONTROLLER, Role.OBSERVER),
        (Role.CONTROLLER, Role.OBSERVER, Role.OBSERVER),
        (Role.CONTROLLER, Role.CONTROLLER, Role.CONTROLLER),
    ],
)
def test_the_role_that_counts_is_the_lesser_of_that_of_the_gate_and_that_of_the_key(gate, key, role):
    assert roles.in_force(gate, key) is role
    assert role in roles.served(gate)


def test_a_row_for_observers_has_all_keys_and_neither_command_nor_settings():
    whole = ActorInfo("a", 1, command="m:f", config={"lives": 3}, note="two\nlines").to_dict()
    seen = roles.row(whole)
    assert list(seen) == list(whole)
    assert {key for key in whole if seen[key] != whole[key]} == {"command", "config"}
    assert seen["command"] is None
    assert seen["config"] is None


def test_every_key_of_a_row_and_of_statistics_is_decided_about():
    assert set(ActorInfo("a", 1).to_dict()) == roles.ROW | {"command", "config"}
    assert set(Stats().to_dict()) == roles.STATS
    assert set(ErrorEvent.__dataclass_fields__) == roles.ERROR_EVENT


def test_of_an_error_in_the_statistics_observers_see_the_first_line():
    failed = Stats(error_events=(ErrorEvent(1.0, 1, "error", "loop", 3, f"ValueError: x\n{HIDDEN}"),))
    whole = ActorInfo("a", 1, stats=failed).to_dict()
    seen = roles.row(whole)["stats"]["error_events"][0]
    assert seen == {**whole["stats"]["error_events"][0], "text": "ValueError: x"}


def event(kind="report", **changes):
    head = {"v": 1, "seq": 9, "prev": 8, "kind": kind, "name": "a", "uid": 1, "incarnation": 2}
    return {**head, "before": None, "after": "x", "cause": "why", "time": 1.5, "data": {}, **changes}


@pytest.mark.parametrize("kind", sorted(roles.KINDS))
def test_an_event_for_observers_has_the_first_line_of_its_texts_but_for_a_note(kind):
    data = {"headline": f"E: x\n{HIDDEN}", "exit_code": 1, "signal": None, "alive": True, "note": "two\nlines"}
    seen = roles.event(event(kind, cause=f"died\r\n{HIDDEN}", data=data))
    assert seen == event(kind, cause="died", data={**data, "headline": "E: x"})


@pytest.mark.parametrize("kind", ["log", "dead_letter", "something new"])
def test_of_logs_dead_letters_and_whatever_comes_later_observers_learn_that_it_was(kind):
    seen = roles.event(event(kind, before=HIDDEN, after=HIDDEN, cause=HIDDEN, data={"message": HIDDEN}))
    assert seen == event("withheld", after=None, cause=None)


def test_answers_are_shown_to_controllers_as_they_are_and_to_observers_verb_by_verb():
    rows = [ActorInfo("a", 1, command=HIDDEN).to_dict()]
    answers = {
        "snapshot": {"system": "s", "seq": 1, "actors": rows},
        "ps": rows,
        "info": rows[0],
        "replay": {"system": "s", "seq": 9, "events": [event("log", data={"message": HIDDEN})], "more": False},
    }
    for verb, value in answers.items():
        assert roles.shown(Role.CONTROLLER, verb, value) is value
        assert HIDDEN in str(value)
        assert HIDDEN not in str(roles.shown(Role.OBSERVER, verb, value))
    assert roles.shown(Role.OBSERVER, "story", "x") == "x"


@given(st.sampled_from(sorted({*roles.KINDS, "log", "dead_letter"})) | st.text(), st.data())
def test_nothing_beyond_the_first_lines_of_an_event_passes(kind, draws):
    data = draws.draw(st.dictionaries(st.text(max_size=8).filter(lambda key: key != "note"), plain | several_lines))
    cause = draws.draw(st.none() | several_lines)
    seen = roles.event(event(kind, cause=cause, data=data, more=HIDDEN))
    assert set(seen) == roles.EVENT
    assert HIDDEN not in str(seen)
    assert all(isinstance(value, str | int | float | None) for value in seen["data"].values())
    assert all(value is None or len(value.splitlines()) <= 1 for value in [seen["cause"]])


@given(st.dictionaries(st.text(max_size=10) | st.sampled_from(sorted(roles.ROW - {"stats"})), plain, max_size=8))
def test_nothing_beyond_the_keys_of_a_row_passes(row):
    seen = roles.row(row)
    assert list(seen) == list(row)
    assert all(seen[key] is None for key in row if key not in roles.ROW)


@given(st.dictionaries(st.text(max_size=10) | st.sampled_from(sorted(roles.STATS - {"error_events"})), plain))
def test_nothing_beyond_the_keys_of_statistics_passes(stats):
    failures = [{"text": f"x\n{HIDDEN}", "traceback": HIDDEN, "section": [HIDDEN]}]
    seen = roles.row({"stats": {**stats, "error_events": failures}})["stats"]
    assert set(seen) <= roles.STATS
    assert seen["error_events"] == [{"text": "x", "section": None}]
