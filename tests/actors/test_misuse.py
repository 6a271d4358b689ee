"""Slips of the pen: what would do nothing, or something else than was meant, is refused where it is written."""

from __future__ import annotations

import functools
from contextlib import contextmanager

import pytest

from understudy import NotAnActor, Process, Status
from understudy.process import HOOKS
from understudy.shadowing import refuse_near_misses


class OneLap(Process):
    def __init__(self):
        self.config.num_loops = 1

    def __loop__(self):
        pass


def generates(self=None):
    yield 1


async def generates_later(self=None):
    yield 1


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
