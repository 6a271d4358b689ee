"""What is one thing here is one thing there: rings, shared parts, weak references, and what is one of a kind."""

from __future__ import annotations

import dataclasses
import functools
import inspect
import weakref

import pytest

from tests.travel.carrying import Kind, carry

pytestmark = pytest.mark.requirement("P10")


@dataclasses.dataclass
class Record:
    name: str


class Square:
    def __init__(self, side):
        self.side = side

    def area(self):
        return self.side**2


class Node:
    def __init__(self):
        self.children, self.parent = [], None

    def add(self, child):
        child.parent = weakref.ref(self)
        self.children.append(child)
        return self


def ring(_):
    first, second = {}, []
    first["next"], first["self"] = second, first
    second.append(first)
    return first


def shared_parts(_):
    part = [1]
    return {"a": part, "b": part}


def weak_values(_):
    squares = {side: Square(side) for side in (1, 2)}
    return {"held": squares, "weak": weakref.WeakValueDictionary(squares)}


def weak_keys(_):
    one, other = Square(1), Square(2)
    return {"held": [one, other], "weak": weakref.WeakKeyDictionary({one: "one", other: "other"})}


def look_up_weakly(made):
    before = [made["weak"][one] for one in made["held"]], len(made["weak"])
    made["held"].pop()
    return *before, len(made["weak"])


def weak_set(_):
    one = Square(1)
    return {"held": [one], "weak": weakref.WeakSet([one])}


def weak_method(_):
    square = Square(3)
    return {"held": square, "weak": weakref.WeakMethod(square.area)}


def weak_proxy(_):
    square = Square(3)
    return {"held": square, "weak": weakref.proxy(square)}


def dead_reference(_):
    return weakref.ref(Square(1))


def sentinel_of_a_dataclass(_):
    return dataclasses.fields(Record)[0]


KINDS = [
    Kind("ring", ring, lambda made: made["next"][0] is made["self"] is made, True),
    Kind("shared part", shared_parts, lambda made: made["a"] is made["b"], True),
    Kind("weak reference", lambda _: Node().add(Node()), lambda node: node.children[0].parent() is node, True),
    Kind("dead weak reference", dead_reference, lambda reference: reference(), None),
    Kind("weak values", weak_values, lambda made: made["weak"][2].area(), 4, lambda made: len(made["weak"]), 2),
    Kind("weak keys", weak_keys, look_up_weakly, (["one", "other"], 2, 1), lambda made: len(made["weak"]), 2),
    Kind("weak set", weak_set, lambda made: [one.area() for one in made["weak"]], [1]),
    Kind("weak method", weak_method, lambda made: made["weak"]()(), 9),
    Kind(
        "weak proxy",
        weak_proxy,
        lambda made: (made["weak"].area(), isinstance(made["weak"], weakref.ProxyType)),
        (9, True),
    ),
    Kind("MISSING of dataclasses", lambda _: dataclasses.MISSING, lambda one: one is dataclasses.MISSING, True),
    Kind("field without a default", sentinel_of_a_dataclass, lambda field: field.default is dataclasses.MISSING, True),
    Kind("empty of inspect", lambda _: inspect.Parameter.empty, lambda one: one is inspect.Parameter.empty, True),
    Kind("object() of a module", lambda _: functools._NOT_FOUND, lambda one: one is functools._NOT_FOUND, True),
    Kind("object() of its own", lambda _: [one := object(), one], lambda pair: pair[0] is pair[1], True),
    Kind("ellipsis", lambda _: ..., lambda one: one is ..., True),
    Kind("not implemented", lambda _: NotImplemented, lambda one: one is NotImplemented, True),
]


@pytest.fixture(scope="module")
def verdicts(tmp_path_factory):
    return carry(KINDS, tmp_path_factory.mktemp("identity"))


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_it_is_one_thing_there_too(kind, verdicts):
    assert not verdicts[kind.name]
