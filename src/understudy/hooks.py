"""The hooks that a class may define, and what it must have to be an actor."""

from __future__ import annotations

from understudy.callables import generates
from understudy.errors import NotAnActor
from understudy.receiving.marks import methods_of, refuse_generators

HOOKS = ("preloop", "loop", "postloop", "onfinish", "result", "error", "receive")
"""The hooks that a class may define, by their sections' names."""

CALLED = (*HOOKS, "terminated")
"""Whatever of a class is called by such a name; the last one is handled as a message is."""

_STAND_INS = {
    "run": "loop",
    "loop": "loop",
    "main": "loop",
    "on_receive": "receive",
    "on_message": "receive",
    "handle_message": "receive",
}
"""What the work is called elsewhere, and the hook that it is here."""


def hooks_of(cls: type) -> frozenset[str]:
    """The hooks of a class, "receive" for whatever takes messages; raises NotAnActor if it could do nothing."""
    refuse_generating_hooks(cls)
    hooks = frozenset(name for name in CALLED if callable(getattr(cls, f"__{name}__", None)))
    if methods_of(cls):
        hooks |= {"receive"}
    if hooks.isdisjoint({"loop", "receive", "terminated"}):
        found = next((name for name in _STAND_INS if callable(getattr(cls, name, None))), None)
        hint = f"; its {found}() is not called: name it __{_STAND_INS[found]}__" if found else ""
        raise NotAnActor(
            f"{cls.__qualname__} defines no __loop__, and neither __receive__ nor a method marked @receives or "
            f"@callable_remotely, so there is nothing for it to do{hint}"
        )
    return hooks


def refuse_generating_hooks(cls: type) -> None:
    """Raise NotAnActor for a hook, or a marked method, that is a generator."""
    refuse_generators(cls)
    for name in CALLED:
        if generates(getattr(cls, f"__{name}__", None)):
            raise NotAnActor(
                f"{cls.__qualname__}.__{name}__ is a generator: calling it would run nothing of it; take the yield out"
            )
