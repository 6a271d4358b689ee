"""Functions of all kinds: nameless, over a closure, partial, with a cache; and iterators, which stay where they are."""

from __future__ import annotations

import functools
import itertools
import operator
import sys

import pytest

from tests.travel.carrying import Kind, carry

pytestmark = pytest.mark.requirement("P10")


def twice(number):
    return 2 * number


def counting():
    count = 0

    def up():
        nonlocal count
        count += 1
        return count

    def look():
        return count

    return {"up": up, "look": look}


def counted_here(_):
    made = counting()
    made["up"]()
    return made


def count_there(made):
    made["up"]()
    return made["look"]()


def with_defaults(one, two=[2], *, three={"four": 4}):  # noqa: B006 - they travel as well
    """Of many parts."""
    return one, two, three


class Adder:
    def __init__(self, by):
        self.by = by

    def add(self, number):
        return number + self.by

    @classmethod
    def two(cls):
        return cls(2).add(0)

    @staticmethod
    def three():
        return 3

    @functools.cached_property
    def square(self):
        return self.by**2

    @property
    def negative(self):
        return -self.by

    @functools.singledispatchmethod
    def of(self, other):
        return "any"

    @of.register
    def _(self, other: int):
        return "whole"

    @functools.lru_cache(maxsize=4)  # noqa: B019 - its cache stays here
    def slowly(self, number):
        return number + self.by

    half = functools.partialmethod(add, 0.5)

    def __call__(self, number):
        return self.add(number)


@functools.lru_cache(maxsize=7, typed=True)
def fibonacci(number):
    return number if number < 2 else fibonacci(number - 1) + fibonacci(number - 2)


@functools.singledispatch
def described(thing):
    return "something"


@described.register
def _(thing: int):
    return "a number"


class Animal: ...


class Cat(Animal): ...


@described.register(Animal)
def _(thing):
    return f"an animal, {type(thing).__name__}"


@functools.wraps(twice)
def wrapper(*args):
    return twice(*args) + 1


def with_cache_filled(_):
    fibonacci(5)
    return fibonacci


def cache_of(function):
    empty = function.cache_info().currsize
    return empty, function(10), function.cache_parameters()


async def soon(value):
    return value


def run(function):
    import asyncio

    return asyncio.run(function("soon"))


def makes_numbers():
    yield from (1, 2)


def advanced(iterator, steps=1):
    for _ in range(steps):
        next(iterator)
    return iterator


def first(iterator):
    return next(iterator)


def some(iterator):
    return list(itertools.islice(iterator, 4))


def iterator(name, make, gives, stays=None):
    """It was advanced by one before it travels, and goes on from there in both places."""
    stays = gives if stays is None else stays
    return Kind(name, lambda _: advanced(make()), some, gives, some, stays)


FUNCTIONS = [
    Kind("lambda", lambda _: lambda number: number + 1, lambda function: function(1), 2),
    Kind("function", lambda _: twice, lambda function: (function(2), function.__qualname__), (4, "twice")),
    Kind("function of a library", lambda _: operator.add, lambda function: function is operator.add, True),
    Kind("built-in function", lambda _: len, lambda function: function is len, True),
    Kind("closures over one variable", counted_here, count_there, 2, lambda made: made["look"](), 1),
    Kind(
        "function with defaults",
        lambda _: with_defaults,
        lambda function: (function(1), function.__doc__),
        ((1, [2], {"four": 4}), "Of many parts."),
    ),
    Kind("partial", lambda _: functools.partial(twice, number=3), lambda function: function(), 6),
    Kind("bound method", lambda _: Adder(2).add, lambda method: (method(1), method.__self__.by), (3, 2)),
    Kind("class method", lambda _: Adder.two, lambda method: method(), 2),
    Kind("static method", lambda _: Adder.three, lambda method: method(), 3),
    Kind("method of a list", lambda _: [3, 1, 2].index, lambda method: method(1), 1),
    Kind("callable object", lambda _: Adder(2), lambda made: made(1), 3),
    Kind("property", lambda _: Adder(2), lambda made: made.negative, -2),
    Kind(
        "bare property",
        lambda _: property(twice, doc="double"),
        lambda made: (made.fget(2), made.__doc__),
        (4, "double"),
    ),
    Kind("cached property", lambda _: Adder(3), lambda made: (made.square, vars(made)["square"]), (9, 9)),
    Kind("partial method", lambda _: Adder(3), lambda made: made.half(), 3.5),
    Kind("single dispatch method", lambda _: Adder(3), lambda made: (made.of(1), made.of("")), ("whole", "any")),
    Kind("cached method", lambda _: Adder(3), lambda made: made.slowly(1), 4),
    Kind("wrapped function", lambda _: wrapper, lambda function: (function(2), function.__wrapped__(2)), (5, 4)),
    Kind(
        "function with a cache",
        with_cache_filled,
        cache_of,
        (0, 55, {"maxsize": 7, "typed": True}),
        lambda function: function.cache_info().currsize > 0,
        True,
    ),
    Kind(
        "single dispatch",
        lambda _: {"call": described, "cat": Cat()},
        lambda made: [made["call"](thing) for thing in (1, "", made["cat"])],
        ["a number", "something", "an animal, Cat"],
    ),
    Kind("coroutine function", lambda _: soon, run, "soon"),
    Kind("generator function", lambda _: makes_numbers, lambda function: list(function()), [1, 2]),
    Kind("item getter", lambda _: operator.itemgetter(1), lambda getter: getter("ab"), "b"),
    Kind("method caller", lambda _: operator.methodcaller("upper"), lambda caller: caller("a"), "A"),
    Kind(
        "key of a comparison", lambda _: functools.cmp_to_key, lambda make: min([2, 1], key=make(lambda a, b: a - b)), 1
    ),
    Kind("code", lambda _: compile("1 + 1", "here", "eval"), lambda code: eval(code), 2),  # noqa: S307
]

ITERATORS = [
    iterator("list iterator", lambda: iter([1, 2, 3]), [2, 3]),
    iterator("tuple iterator", lambda: iter((1, 2, 3)), [2, 3]),
    iterator("dict iterator", lambda: iter({1: 0, 2: 0}), [2]),
    iterator("set iterator", lambda: iter({7} | {7}), []),
    iterator("range iterator", lambda: iter(range(3)), [1, 2]),
    iterator("string iterator", lambda: iter("abc"), ["b", "c"]),
    iterator("reversed", lambda: reversed([1, 2, 3]), [2, 1]),
    iterator("enumerate", lambda: enumerate("abc"), [(1, "b"), (2, "c")]),
    iterator("zip", lambda: zip("abc", [1, 2, 3], strict=True), [("b", 2), ("c", 3)]),
    iterator("map", lambda: map(twice, [1, 2, 3]), [4, 6]),
    iterator("filter", lambda: filter(twice, [1, 2, 0, 3]), [2, 3]),
    iterator("count", lambda: itertools.count(5, 2), [7, 9, 11, 13]),
    iterator("cycle", lambda: itertools.cycle([1, 2]), [2, 1, 2, 1]),
    iterator("cycle in its second round", lambda: advanced(itertools.cycle([1, 2]), 2), [2, 1, 2, 1]),
    iterator("chain", lambda: itertools.chain([1, 2], [3]), [2, 3]),
    iterator("slice", lambda: itertools.islice([1, 2, 3, 4, 5], 1, 5, 2), [4]),
    iterator("repeat", lambda: itertools.repeat("a", 3), ["a", "a"]),
    iterator("product", lambda: itertools.product([1, 2], "a"), [(2, "a")]),
    iterator("permutations", lambda: itertools.permutations([1, 2]), [(2, 1)]),
    iterator("combinations", lambda: itertools.combinations([1, 2, 3], 2), [(1, 3), (2, 3)]),
    iterator("accumulation", lambda: itertools.accumulate([1, 2, 3]), [3, 6]),
    iterator("pairs of two lists", lambda: itertools.zip_longest([1, 2], [3]), [(2, None)]),
    iterator("tee", lambda: itertools.tee([1, 2, 3])[0], [2, 3]),
    iterator("take while", lambda: itertools.takewhile(bool, [1, 2, 0, 3]), [2]),
    iterator("call until", lambda: iter(iter([1, 2, 0]).__next__, 0), [2]),
]


@pytest.fixture(scope="module")
def verdicts(tmp_path_factory):
    return carry(FUNCTIONS + ITERATORS, tmp_path_factory.mktemp("functions"))


@pytest.mark.parametrize("kind", FUNCTIONS, ids=lambda kind: kind.name)
def test_it_is_called_there(kind, verdicts):
    assert not verdicts[kind.name]


@pytest.mark.skipif(sys.version_info >= (3, 14), reason="iterators of itertools are no longer copied")
@pytest.mark.parametrize("kind", ITERATORS, ids=lambda kind: kind.name)
def test_it_goes_on_there_from_where_it_was_and_here_too(kind, verdicts):
    assert not verdicts[kind.name]
