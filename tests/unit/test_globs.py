"""Which names several names and globs mean; what a request may ask for at the most is soon said."""

from __future__ import annotations

import re
from fnmatch import fnmatchcase

import pytest
from hypothesis import given
from hypothesis import strategies as st

from understudy import globs as module
from understudy.globs import LONGEST_NAME, Globs, is_glob, stem

names = st.text("ab/.-", min_size=1, max_size=8)
patterns = st.text("ab*?[]!/.-", max_size=12)


@given(st.lists(patterns, max_size=6), st.lists(names, max_size=6))
def test_it_means_what_fnmatchcase_would(wanted: list[str], asked: list[str]):
    globs = Globs(wanted)
    for name in asked:
        expected = any(fnmatchcase(name, one) if is_glob(one) else name == one for one in wanted)
        assert globs.mean(name) is expected
        assert globs.mean(name) is expected, "asked again"


@given(patterns, names)
def test_whatever_fits_a_glob_begins_with_its_stem(glob: str, name: str):
    if Globs([glob]).mean(name):
        assert name.startswith(stem(glob))


@pytest.mark.parametrize("glob", ["[" * 1024, "*?" * 512, "*[!a-c]" * 146, "]" + "[*" * 511, "a" * 1024 + "*"])
def test_what_no_name_is_long_enough_for_is_not_compiled(glob, monkeypatch):
    compiled: list[str] = []
    compile_it = re.compile

    def noted(text: str) -> re.Pattern[str]:
        compiled.append(text)
        return compile_it(text)

    monkeypatch.setattr(re, "compile", noted)
    assert not Globs([glob]).mean("a" * LONGEST_NAME)
    assert compiled == ["(?!)"]


def test_stars_cost_as_much_as_one_and_those_in_a_class_are_of_it():
    assert Globs(["*" * 1023 + "b"]).mean("a" * 127 + "b")
    assert not Globs(["*a" * 120 + "b*"]).mean("a" * LONGEST_NAME)
    assert Globs(["[a-**]"]).mean("*")


def test_a_name_is_looked_at_once_however_often_it_is_asked_for(monkeypatch):
    seen: list[str] = []

    class Pattern:
        def match(self, name):
            seen.append(name)

    monkeypatch.setattr(Globs, "_ready", lambda _: Pattern())
    globs = Globs(["b"] * 1000 + ["z*"] * 50)
    assert not any(globs.mean("aaaa") for _ in range(10_000))
    assert seen == ["aaaa"]


def test_verdicts_are_not_kept_for_ever(monkeypatch):
    monkeypatch.setattr(module, "_KNOWN", 10)
    globs = Globs(["a*"])
    assert all(globs.mean(f"a{number}") for number in range(100))
    assert len(globs._known) <= 10
