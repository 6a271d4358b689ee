"""Slips of the pen: what would do nothing, or something else than was meant, is refused where it is written."""

from __future__ import annotations

import functools
from contextlib import contextmanager

import pytest

from understudy import NotAnActor, Process, Status


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
