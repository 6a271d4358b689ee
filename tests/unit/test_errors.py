"""The tree of errors is the one that its docstring draws."""

from __future__ import annotations

import builtins
import re

import pytest

import understudy
from understudy import errors
from understudy.errors import SECTION_ERRORS, ActorError, SectionError, UnderstudyError
from understudy.wire.page import SECTIONS


def drawn() -> dict[str, set[str]]:
    """Each class of the docstring's tree with its bases: the one that it stands under, and those in brackets."""
    tree: dict[str, set[str]] = {}
    above: list[tuple[int, str]] = []
    for line in (errors.__doc__ or "").splitlines()[1:]:
        indent = len(line) - len(line.lstrip())
        if not line.strip() or line.lstrip().startswith("and of each"):
            continue
        words = re.split(r"\s{3,}", line.strip())[0]
        names = re.findall(r"(\w+)(?: \((\w+)\))?", words)
        while above and above[-1][0] >= indent:
            above.pop()
        for name, other in names:
            tree[name] = {above[-1][1] if above else "Exception", *([other] if other else [])}
        above.append((indent, names[-1][0]))
    for name in [name for name, bases in tree.items() if "SectionError" in bases]:
        tree[f"{name.removesuffix('Error')}TimeoutError"] = {name, "TimeoutError"}
    return tree


def defined() -> dict[str, set[str]]:
    return {
        name: {base.__name__ for base in kind.__bases__}
        for name, kind in vars(errors).items()
        if isinstance(kind, type) and issubclass(kind, BaseException)
    }


def test_the_tree_is_drawn_as_it_is_defined():
    assert drawn() == defined()


def test_every_error_derives_from_the_one_and_is_public_and_told():
    for name in defined():
        kind = getattr(understudy, name)
        assert issubclass(kind, UnderstudyError)
        assert kind.__doc__


@pytest.mark.parametrize(
    ("name", "base"),
    [
        ("ConfigError", "ValueError"),
        ("UnknownField", "AttributeError"),
        ("NotAnActor", "TypeError"),
        ("UnknownActor", "LookupError"),
        ("WaitTimeout", "TimeoutError"),
        ("AskTimeout", "TimeoutError"),
        ("StartTimeout", "TimeoutError"),
    ],
)
def test_who_catches_the_builtin_kind_catches_ours(name: str, base: str):
    kind = getattr(errors, name)
    with pytest.raises(getattr(builtins, base)):
        raise kind("text")


def test_every_section_has_its_error_and_that_of_its_overrun():
    assert set(SECTION_ERRORS) == set(SECTIONS) - {""}
    for plain, timed_out in SECTION_ERRORS.values():
        assert issubclass(plain, SectionError)
        assert issubclass(timed_out, plain)
        assert issubclass(timed_out, TimeoutError)
    assert len({kind for pair in SECTION_ERRORS.values() for kind in pair}) == 2 * len(SECTION_ERRORS)


def test_an_outcome_says_whose_it_is_also_where_nothing_is_known():
    error = ActorError("text")
    assert (error.name, error.incarnation, error.report, error.result) == ("", 0, None, None)
    for pair in SECTION_ERRORS.values():
        for kind in pair:
            made = kind("text", name="indexer", incarnation=3, section="loop", lap=17)
            assert (made.name, made.incarnation, made.section, made.lap, str(made)) == (
                "indexer",
                3,
                "loop",
                17,
                "text",
            )
