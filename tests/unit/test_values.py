"""NAME=VALUE on the command line."""

from __future__ import annotations

import pytest

from understudy.cli.refusal import Refusal
from understudy.cli.screen import Pace
from understudy.cli.values import all_settings, arguments, settings
from understudy.config import options


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("3", 3),
        ("-2.5", -2.5),
        ("None", None),
        ("[1, 'a']", [1, "a"]),
        ("{'k': (1,)}", {"k": (1,)}),
        ("/srv/texts", "/srv/texts"),
        ("a=b", "a=b"),
        ("'3'", "3"),
        ("", ""),
        ("os.getcwd()", "os.getcwd()"),
    ],
)
def test_an_argument_is_the_literal_that_it_looks_like_or_text(text, value):
    assert arguments([f"name={text}"]) == {"name": value}


@pytest.mark.requirement("C3")
@pytest.mark.parametrize(
    ("pair", "value"),
    [
        ("lives=3", 3),
        ("timeouts.loop=2", 2),
        ("timeouts.loop=0.25", 0.25),
        ("timeouts.loop=none", None),
        ("num_loops=None", None),
        ("log_laps=true", True),
        ("log_laps=False", False),
        ("restart.policy=always", "always"),
    ],
)
def test_a_setting_is_read_by_its_own_type(pair, value):
    assert settings([pair]) == {pair.partition("=")[0]: value}


@pytest.mark.parametrize(
    ("pairs", "told"),
    [
        (["timeouts.lop=2"], "did you mean 'timeouts.loop'?"),
        (["lives=0"], "lives must be a whole number, at least 1; got 0"),
        (["lives=none"], "lives must be a whole number, at least 1; got 'none'"),
        (["log_laps=1"], "log_laps must be True or False; got 1"),
        (["restart.policy=sometimes"], "one of 'on_crash', 'always', 'never'; got 'sometimes'"),
        (["lives"], "write --config NAME=VALUE"),
        (["lives=2", "lives=3"], "lives was given before"),
    ],
)
def test_a_setting_that_cannot_be_is_refused_with_what_would_be_right(pairs, told):
    with pytest.raises(Refusal) as refused:
        settings(pairs)
    assert told in str(refused.value)


def test_the_help_shows_defaults_that_can_be_typed():
    pairs = all_settings().split(", ")
    assert settings(pairs) == {option.path: option.default for option in options()}


def test_the_pace_is_that_of_the_last_second_and_of_one_life():
    pace = Pace()
    assert pace.at(0.0, 1, 0) is None
    assert pace.at(0.5, 1, 10) == 20
    assert pace.at(1.5, 1, 110) == 100
    assert pace.at(2.5, 1, 110) == 0
    assert pace.at(2.6, 2, 1) is None
