"""Which functions are sent once: those of which it is sure that they are what they were."""

from __future__ import annotations

import functools
import operator

import pytest

from understudy.pool.functions import MOST, Functions
from understudy.wire.bulk import Borrower
from understudy.wire.sealing import unseal

pytestmark = pytest.mark.requirement("B1")

KEY = b"k" * 32
FACTOR = 3
TABLE = {"factor": 3}


def by_a_number(value):
    return value * FACTOR


def by_a_table(value):
    return value * TABLE["factor"]


def through_another(value):
    return by_a_number(value) + 1


def counting(value, seen=[]):  # noqa: B006 - that is what is tested
    seen.append(value)
    return seen


look_up = TABLE.get


def by_a_bound_method(key):
    return look_up(key)


def again(value):
    return again(value - 1) if value else 0


@pytest.fixture
def functions():
    return Functions(KEY)


def test_what_a_child_imports_is_sent_once(functions):
    assert functions.find(operator.add) is functions.find(operator.add)
    assert functions.find(len).number != functions.find(operator.add).number


@pytest.mark.parametrize("function", [by_a_number, through_another, again, lambda value: value + 1])
def test_a_function_that_refers_to_what_lasts_is_sent_once(functions, function):
    assert functions.find(function) is not None
    assert functions.find(function) is functions.find(function)


def test_a_function_whose_global_was_set_anew_is_sent_anew(functions, monkeypatch):
    before, deep = functions.find(by_a_number), functions.find(through_another)
    monkeypatch.setattr("tests.unit.pool.test_functions.FACTOR", 5)
    monkeypatch.setitem(by_a_number.__globals__, "FACTOR", 5)
    after = functions.find(by_a_number)
    assert after.number != before.number
    assert functions.find(through_another).number != deep.number
    assert unseal(after.sealed, KEY, Borrower())(10) == 50


@pytest.mark.parametrize(
    "function",
    [by_a_table, counting, functools.partial(by_a_number, 3), [].append, type("Callable", (), {}), by_a_bound_method],
    ids=["a dict", "a default", "a partial", "a bound method", "a class of its own", "a global that is a method"],
)  # fmt: skip
def test_what_may_change_goes_along_with_each_task(functions, function):
    assert functions.find(function) is None


def test_a_closure_is_sent_anew_when_its_variable_has_changed(functions):
    value = 1

    def adds(other):
        return value + other

    first = functions.find(adds)
    assert functions.find(adds) is first
    value = 2
    assert unseal(functions.find(adds).sealed, KEY, Borrower())(10) == 12


def test_a_function_that_was_given_an_attribute_is_sent_anew(functions):
    def bears(value):
        return value

    assert functions.find(bears) is not None
    bears.__dict__["mark"] = 1
    assert functions.find(bears) is None


def test_those_that_are_forgotten_are_told_and_go_along_with_what_refers_to_them(functions):
    made = [(lambda value, number=number: value + number) for number in range(MOST + 3)]
    sent = [functions.find(function) for function in made]
    assert [*functions.gone] == [function.number for function in sent[:3]]
    assert [function.is_gone for function in sent[:4]] == [True, True, True, False]


def test_only_so_many_are_remembered(functions):
    made = [(lambda value, number=number: value + number) for number in range(MOST + 1)]
    first = functions.find(made[0])
    for function in made[1:]:
        functions.find(function)
    assert functions.find(made[0]) is not first
    assert functions.find(made[-1]) is functions.find(made[-1])
