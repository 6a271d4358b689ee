"""Slips of the pen: what would do nothing, or something else than was meant, is refused where it is written."""

from __future__ import annotations

import copy
import functools
import time
from contextlib import contextmanager
from typing import Any

import pytest

from understudy import ConfigError, MainLoopError, NotAnActor, NotStarted, Process, Status
from understudy.hooks import HOOKS
from understudy.shadowing import refuse_near_misses


class OneLap(Process):
    def __init__(self):
        self.config.num_loops = 1

    def with_one(self, argument):
        return argument

    def __loop__(self):
        pass


def generates(self=None):
    yield 1


async def generates_later(self=None):
    yield 1


async def add_later(first, second):
    return first + second


class Generating:
    def __call__(self):
        yield 1


@pytest.mark.requirement("P3")
@pytest.mark.parametrize("hook", ["preloop", "loop", "postloop", "onfinish", "result", "error"])
@pytest.mark.parametrize("body", [generates, generates_later])
def test_a_generator_as_a_hook_is_refused_where_the_class_is_written(hook, body):
    with pytest.raises(NotAnActor, match=rf"Yielding\.__{hook}__ is a generator: calling it would run nothing"):
        type("Yielding", (OneLap,), {f"__{hook}__": body})


@pytest.mark.requirement("P3")
def test_a_generator_that_a_class_is_given_later_is_refused_at_the_spawn(system):
    class Patched(OneLap):
        pass

    Patched.__loop__ = generates  # type: ignore[method-assign]
    with pytest.raises(NotAnActor, match="a generator"):
        system.spawn(Patched)
    assert system.ps(all=True) == []


@pytest.mark.requirement("P3")
def test_a_hook_that_a_decorator_made_of_a_generator_is_no_generator(system):
    class Managed(OneLap):
        @contextmanager
        def __result__(self):  # what it returns does not travel; that it may be written so is the point
            yield 1

        def __loop__(self):
            with Managed.__result__(self) as self.value:
                pass

    assert Managed().config.lives == 1


@pytest.mark.requirement("A1")
@pytest.mark.parametrize("target", [generates, generates_later, Generating(), functools.partial(generates)])
def test_a_generator_function_is_refused_where_it_is_spawned(system, target):
    with pytest.raises(NotAnActor, match="is a generator function: calling it would run nothing"):
        system.spawn(target, name="free")
    assert system.spawn(OneLap, name="free").wait(20) is Status.FINISHED


SLIPS = {
    "__pre_loop__": "preloop",
    "__prelop__": "preloop",
    "__Preloop__": "preloop",
    "__loops__": "loop",
    "__lop__": "loop",
    "__post_loop__": "postloop",
    "__on_finish__": "onfinish",
    "__finish__": "onfinish",
    "__onfinsh__": "onfinish",
    "__on_finished__": "onfinish",
    "__results__": "result",
    "__reslut__": "result",
    "__errors__": "error",
    "__on_error__": "error",
    "__onerror__": "error",
    "__eror__": "error",
}


@pytest.mark.requirement("P3")
@pytest.mark.parametrize("slip", SLIPS)
def test_a_misspelled_hook_is_refused_where_the_class_is_written(slip):
    meant = rf"^Slipped\.{slip} is no hook, so nothing would call it; did you mean __{SLIPS[slip]}__\?$"
    for body in (lambda _: None, staticmethod(len), generates_later):
        with pytest.raises(NotAnActor, match=meant):
            type("Slipped", (OneLap,), {slip: body})


def special_names():
    """All that Python, its library and some of its neighbours call by such names, as far as it is loaded here."""
    import ast
    import asyncio
    import builtins
    import ctypes
    import dataclasses
    import decimal
    import enum
    import importlib
    import pickle
    import typing
    import unittest.mock

    import numpy as np

    modules = [ast, asyncio, builtins, ctypes, dataclasses, decimal, enum, functools, importlib, np, pickle, typing]
    owners = [owner for module in [*modules, unittest.mock] for owner in (module, *vars(module).values())]
    found = {name for owner in owners for name in dir(owner)}
    elsewhere = {
        "__abstract__", "__array__", "__attrs_attrs__", "__clause_element__", "__cuda_array_interface__", "__dlpack__",
        "__declare_first__", "__declare_last__", "__fields__", "__get_pydantic_core_schema__", "__get_validators__",
        "__getinitargs__", "__getnewargs__", "__html__", "__json__", "__jax_array__", "__mapper_args__", "__metadata__",
        "__post_init__", "__pydantic_init_subclass__", "__pretty__", "__rich__", "__rich_console__", "__rich_repr__",
        "__root__", "__table_args__", "__tablename__", "__tojson__", "__torch_function__", "__traceback_hide__",
        "__unstructure__", "__zope_interface__", "__reload__", "__preload__", "__postload__", "__load__",
        "__result_type__",
        "__return__", "__restore__", "__reset__", "__mainloop__", "__lookup__", "__look__", "__pool__", "__finalize__",
        "__start__", "__stop__", "__setup__", "__teardown__", "__close__", "__run__", "__main__",
    }  # fmt: skip
    return sorted(name for name in found | elsewhere if name.startswith("__") and name.endswith("__") and len(name) > 4)


@pytest.mark.requirement("P1")
def test_no_special_name_of_python_or_its_neighbours_is_taken_for_a_misspelled_hook():
    names = special_names()
    assert len(names) > 250
    assert {"__reduce__", "__loader__", "__result_type__", "__enter__", "__aiter__"} <= set(names)
    for name in names:
        refuse_near_misses("Any", {name: len}, HOOKS)


@pytest.mark.requirement("P1")
def test_values_and_plain_methods_of_such_names_are_the_users_own(system):
    class Named(OneLap):
        __results__ = ("a value is no hook",)

        def results(self):
            return self.__results__

        def _loop(self):
            raise AssertionError("a method like others")

        def __result__(self):
            return self.results()

    assert system.spawn(Named).result(20) == ("a value is no hook",)


@pytest.mark.requirement("P1")
def test_a_mixin_that_is_no_process_may_define_what_it_likes(system):
    class Mixin:
        def __finish__(self):
            raise AssertionError("somebody else's protocol")

    class Mixed(Mixin, OneLap):
        pass

    assert system.spawn(Mixed).wait(20) is Status.FINISHED


@pytest.mark.requirement("P3")
@pytest.mark.parametrize("name", ["run", "loop", "main"])
def test_a_class_without_a_loop_is_told_what_is_not_called(system, name):
    idle = type("Idle", (Process,), {name: lambda _: None})
    with pytest.raises(
        NotAnActor, match=rf"Idle defines no __loop__, .*; its {name}\(\) is not called: name it __loop__"
    ):
        system.spawn(idle)


def fetch(url, timeout=10, *, name="anonymous", host="localhost", config=None):
    return url, timeout, name, host, config


class Fetches(OneLap):
    def __init__(self, url, name="anonymous", *, host="localhost", config=None):
        super().__init__()
        self.said = (url, name, host, config)

    def __result__(self):
        return self.said


CLASHES: list[tuple[Any, dict[str, Any], str]] = [
    (fetch, {"timeout": 5}, "timeout"),
    (fetch, {"name": "free"}, "name"),
    (fetch, {"host": "spawn"}, "host"),
    (fetch, {"host": "db.example"}, "host"),
    (fetch, {"config": {"lives": 2}}, "config"),
    (functools.partial(fetch, name="bound"), {"timeout": 5}, "timeout"),
    (Fetches, {"name": "free"}, "name"),
    (Fetches, {"host": "spawn"}, "host"),
    (Fetches, {"config": {"lives": 2}}, "config"),
]


@pytest.mark.requirement("A1")
def test_an_option_that_the_target_has_a_parameter_for_is_refused_as_nobody_can_tell_whose_it_is(system):
    for target, options, option in CLASHES:
        told = rf"{option}= is spawn's, but .*etch.* has a parameter of that name, too: give it its own by position"
        with pytest.raises(ConfigError, match=told):
            system.spawn(target, "u", **options)
        assert system.ps(all=True) == []


@pytest.mark.requirement("A1")
def test_an_option_is_spawns_where_the_target_has_its_own_already(system):
    assert system.spawn(fetch, "u", 5, timeout=60).result(20)[:2] == ("u", 5)
    bound = functools.partial(fetch, name="ann", host="here", config=1, timeout=7)
    ref = system.spawn(bound, "u", name="actor", host="process", config={"lives": 2}, timeout=60)
    assert ref.result(20) == ("u", 7, "ann", "here", 1)
    assert ref.name == "actor"
    assert system.spawn(Fetches, "u", "ann", name="other").result(20)[:2] == ("u", "ann")
    made = Fetches("u", name="ann", host="here")
    assert system.spawn(made, name="made", config={"lives": 2}).result(20) == ("u", "ann", "here", None)
    takes_all = system.spawn(lambda *_, **rest: rest, 1, other=2, name="all", timeout=60)
    assert (takes_all.name, takes_all.result(20)) == ("all", {"other": 2})


def wants_to_stop(count, stop_event):
    return count, stop_event.is_set()


def positional(stop_event, /, count):
    return stop_event, count


@functools.wraps(fetch)
def decorated(*args):
    return args


def load(url, timeout=10):
    return url, timeout


BINDINGS: list[tuple[Any, tuple[Any, ...], dict[str, Any], str]] = [
    (load, (), {}, r"^load\(\) missing a required argument: 'url'$"),
    (load, ("u",), {"retries": 3}, r"^load\(\) got an unexpected keyword argument 'retries'$"),
    (load, ("u", 1, 2), {}, r"^load\(\) too many positional arguments$"),
    (load, ("u",), {"url": "v"}, r"^load\(\) multiple values for argument 'url'$"),
    (functools.partial(load, "u"), (1, 2), {}, "too many positional arguments"),
    (OneLap().with_one, (1, 2), {}, r"^OneLap.with_one\(\) too many positional arguments$"),
    (wants_to_stop, (), {}, r"^wants_to_stop\(\) missing a required argument: 'count'$"),
    (wants_to_stop, (1, 2, 3), {}, "too many positional arguments"),
    (positional, (), {"count": 1}, "missing a required argument: 'stop_event'"),
    (add_later, (1,), {}, r"^add_later\(\) missing a required argument: 'second'$"),
]


@pytest.mark.requirement("A1")
def test_wrong_arguments_are_refused_in_the_caller_as_a_call_would(system):
    for function, args, kwargs, told in BINDINGS:
        with pytest.raises(TypeError, match=told):
            system.spawn(function, *args, name="free", **kwargs)
        assert system.ps(all=True) == []
    assert system.spawn(OneLap, name="free").wait(20) is Status.FINISHED


@pytest.mark.requirement("A1")
def test_what_a_call_would_take_is_taken(system):
    assert system.spawn(wants_to_stop, 4).result(20) == (4, False)
    assert system.spawn(wants_to_stop, count=4).result(20) == (4, False)
    with pytest.raises(MainLoopError, match="'str' object has no attribute 'is_set'"):
        system.spawn(wants_to_stop, 4, "its own").result(20)
    assert system.spawn(positional, "first", count=2).result(20) == ("first", 2)
    assert system.spawn(decorated, 1, 2, 3, 4, 5, 6).result(20) == (1, 2, 3, 4, 5, 6)  # not what it wraps is called
    assert system.spawn(max, 3, 4).result(20) == 4  # a builtin that tells no signature


@pytest.mark.requirement("A1")
def test_none_as_the_timeout_of_a_function_means_none(system):
    ref = system.spawn(time.sleep, 0, timeout=None)
    assert system._world.registry.actors[ref.uid].spec.config.timeouts.loop is None
    usual = system.spawn(time.sleep, 0)
    assert system._world.registry.actors[usual.uid].spec.config.timeouts.loop == 300
    for each in (ref, usual):
        assert each.wait(20) is Status.FINISHED


ASKED_TOO_EARLY = {
    "stop()": "cannot stop this Early",
    "kill()": "cannot kill this Early",
    "wait()": "cannot wait for this Early",
    "result()": "cannot ask the result of this Early",
    "name": "cannot tell the name of this Early",
    "current_lap": "cannot ask the lap of this Early",
    "lives_left": "cannot ask the lives of this Early",
}


@pytest.mark.requirement("P6")
@pytest.mark.parametrize("asked", ASKED_TOO_EARLY)
def test_what_init_cannot_have_yet_is_refused_in_words_that_fit(asked):
    class Early(OneLap):
        def __init__(self):
            found = getattr(self, asked.removesuffix("()"))
            found()

    told = rf"^{ASKED_TOO_EARLY[asked]}: it is not started; in __init__ none is, elsewhere call start\(\) first$"
    with pytest.raises(NotStarted, match=told):
        Early()


@pytest.mark.requirement("P1")
def test_arguments_for_a_class_without_an_init_are_told(system):
    class Bare(Process):
        def __loop__(self):
            pass

    with pytest.raises(TypeError, match=r"^Bare\(\) takes no arguments; got 5, copies=$"):
        system.spawn(Bare, 5, copies=2)


@pytest.mark.requirement("P4")
def test_what_a_stop_cannot_heed_is_refused_on_either_side(system):
    process = OneLap()
    after: Any
    for after, told in [("bogus", "it is 'section' or 'lap'"), (5, "it is 'section'"), ("lap", "is for hooks")]:
        with pytest.raises(ConfigError, match=told):
            process.stop(after=after)

    class Gracious(OneLap):
        def __loop__(self):
            self.stop(grace=5)

    with pytest.raises(MainLoopError, match=r"ConfigError: stop\(grace=\.\.\.\) is for the parent"):
        system.spawn(Gracious).result(20)


class Slotted(OneLap):
    __slots__ = ("slot",)

    def __init__(self, items):
        super().__init__()
        self.slot, self.items = "kept", items


class Listing(OneLap, list):  # type: ignore[type-arg]
    def __init__(self, items):
        OneLap.__init__(self)
        list.__init__(self, items)
        self.items = items


class CopiesItself:
    def __copy__(self):
        made = type(self).__new__(type(self))
        made.__dict__.update(self.__dict__, made_by="itself")
        return made


class Copied(OneLap, CopiesItself):
    def __init__(self, items):
        super().__init__()
        self.items = items


@pytest.mark.requirement("P6")
@pytest.mark.parametrize("kind", [Slotted, Listing, Copied])
def test_a_shallow_copy_shares_attributes_and_neither_settings_nor_its_start(kind: Any):
    made = kind([1, 2])
    made.config.lives = 2
    made.start().wait(20)
    twin: Any = copy.copy(made)
    assert (type(twin), twin.items) == (kind, [1, 2])
    assert twin.items is made.items
    assert getattr(twin, "slot", "kept") == "kept"
    assert getattr(twin, "made_by", "itself") == "itself"
    assert kind is not Listing or list(twin) == [1, 2]
    assert twin.config.lives == 2
    twin.config.lives = 9
    assert made.config.lives == 2
    assert twin.start().wait(20) is Status.FINISHED
    assert twin.name != made.name
