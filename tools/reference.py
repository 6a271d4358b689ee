"""Write docs/reference.md: every public name with its signature and docstring, as the code has them.

What is public is what `understudy.__all__` lists. The page is made from the imported package, so it cannot say
anything that the docstrings don't.
"""

from __future__ import annotations

import inspect
import re
import sys
from collections.abc import Callable, Iterable, Iterator
from dataclasses import MISSING, Field, fields, is_dataclass
from enum import Enum
from pathlib import Path
from typing import Any, TypeGuard

import understudy
from understudy import config, errors
from understudy.group import AioGroup
from understudy.observe.observer import AioObserver
from understudy.ref import AioRef
from understudy.settings import Settings

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "reference.md"

GROUPS: dict[str, tuple[str, ...]] = {
    "Running actors": ("ActorSystem", "Process", "ActorRef", "GroupRef"),
    "Watching and steering": ("Observer", "Remote", "Keyring", "ExitCallback"),
    "Values": (
        "Status",
        "Health",
        "ActorInfo",
        "ActorTable",
        "Summary",
        "Stats",
        "ErrorEvent",
        "Event",
        "DeathReport",
        "Life",
        "Usage",
    ),
    "Settings": (
        "ProcessConfig",
        "Timeouts",
        "Restart",
        "Backoff",
        "StopLadder",
        "Heartbeat",
        "Limits",
        "Mailbox",
        "Sampling",
    ),
    "Messages": ("receives", "callable_remotely", "Deferred", "Reminder"),
    "Pools": ("Pool", "PoolStats", "TaskRecord", "PoolBroken"),
    "Measuring": ("timethis", "Timer", "Timers"),
    "State": ("travels",),
    "Waits": ("wait_until", "Port", "UnixSocket", "File", "Http", "LogLine", "Call", "All"),
    "Protocols": ("Target", "Spawner", "Wait"),
}
"""The order of the page. Errors come last, by their tree; before them, what is in none of these."""

_HEAD = """\
# Reference

Made by `make docs` from the docstrings; not to be edited. It covers all that `from understudy import ...` offers.

{contents}
- [Errors](#errors), as a tree
"""
_REST = "Other names"
_ERRORS = "Errors"


def page(names: Iterable[str] = tuple(understudy.__all__)) -> str:
    """The text of docs/reference.md for these public names."""
    names = tuple(names)
    raised = [name for name in vars(errors) if name in names and _is_error(getattr(understudy, name))]
    groups = {title: [name for name in members if name in names] for title, members in GROUPS.items()}
    placed = {name for members in groups.values() for name in members}
    groups[_REST] = [name for name in names if name not in placed and name not in raised]
    sections = [_section(title, members) for title, members in groups.items() if members]
    sections.append(_error_section(raised))
    contents = "\n".join(
        f"- {title}: " + ", ".join(f"[`{name}`](#{name.lower()})" for name in members)
        for title, members in groups.items()
        if members
    )
    return "\n".join([_HEAD.format(contents=contents), *sections])


def main() -> int:
    """Write the page where it differs."""
    text = page()
    if not PAGE.exists() or PAGE.read_text(encoding="utf-8") != text:
        PAGE.parent.mkdir(exist_ok=True)
        PAGE.write_text(text, encoding="utf-8")
        print(f"wrote {PAGE.relative_to(ROOT)}")
    return 0


# --- sections


def _section(title: str, names: Iterable[str]) -> str:
    parts = [f"## {title}\n"]
    if title == "Settings":
        parts.append(_settings())
    parts.extend(_entry(name, getattr(understudy, name)) for name in names)
    return "\n".join(parts)


def _settings() -> str:
    rows = "".join(
        f"| `{one.path}` | `{_cell(_annotation(one.type))}` | `{one.default!r}` | {_cell(_text(one.doc))} |\n"
        for one in config.options()
    )
    members = "".join(_member(name, raw, "") for name, raw in _public(Settings))
    return (
        f"{_doc(config)}\n\nEvery single setting, by the path that `config={{...}}` of `spawn` takes:\n\n"
        f"| path | type | default | meaning |\n|---|---|---|---|\n{rows}\nAll groups have in common:\n\n{members}"
    )


def _error_section(names: list[str]) -> str:
    tree = inspect.cleandoc(errors.__doc__ or "").partition("\n\n")[2].rstrip()
    entries = "\n".join(_entry(name, getattr(understudy, name)) for name in names)
    return f"## {_ERRORS}\n\n```\n{tree}\n```\n\n{entries}"


def _entry(name: str, value: Any) -> str:
    parts = [f"### `{name}`\n\n{_signature(name, value)}{_doc(value)}\n"]
    if not isinstance(value, type):
        return "".join(parts)
    if is_dataclass(value) and not issubclass(value, Settings):
        parts.append("\n" + "".join(_field(one) for one in fields(value)))
    if _is_enum(value):
        parts.append("\n" + "".join(f"- `{name}.{one.name}` = `{one.value!r}`\n" for one in value))
    members = "".join(_member(own, raw, name) for own, raw in _public(value))
    if members:
        parts.append(f"\n{members}")
    if value is understudy.ActorRef:
        members = "".join(_member(own, raw, "ref.aio") for own, raw in _public(AioRef))
        parts.append(f"\n`ref.aio`: {_doc(AioRef)} Awaiting it is awaiting `ref.aio.result()`.\n\n{members}")
    if value is understudy.GroupRef:
        twins = ", ".join(f"`{own}`" for own, _ in _public(AioGroup))
        parts.append(f"\n`group.aio`: {_doc(AioGroup)} It has {twins}.\n")
    if value is understudy.Observer:
        twins = ", ".join(f"`{own}`" for own, _ in _public(AioObserver))
        parts.append(f"\n`observer.aio`: {_doc(AioObserver)} It has {twins}.\n")
    return "".join(parts)


def _field(one: Field[Any]) -> str:
    default = "" if one.default is MISSING else f" = {_default(one.default)}"
    return f"- `{one.name}: {_annotation(one.type)}{default}`\n"


def _member(name: str, raw: Any, owner: str) -> str:
    function = _function(raw)
    if function is None:
        return ""
    dotted = f"{owner}.{name}" if owner else name
    if _is_attribute(raw):
        given = inspect.signature(function).return_annotation
        shown = f"{dotted}: {_annotation(given)}"
    else:
        word = "async " if inspect.iscoroutinefunction(function) else ""
        shown = f"{word}{dotted}{_parameters(function, bound=not isinstance(raw, staticmethod))}"
    told = _doc(function)
    return f"- **`{shown}`**" + (f"  \n{_indented(told)}\n" if told else "\n")


# --- reading the code


def _public(cls: type) -> Iterator[tuple[str, Any]]:
    """The members that a class offers itself, or by a part of it that stands in the router, as its source has them."""
    for owner in (cls, *(base for base in cls.__bases__ if base.__module__.startswith("understudy.router"))):
        for name, raw in vars(owner).items():
            if not name.startswith("_") and _function(raw) is not None:
                yield name, raw


def _function(raw: Any) -> Callable[..., Any] | None:
    """The function behind a method, property, or one of the descriptors of Process; None for plain values."""
    if isinstance(raw, property):
        return raw.fget
    if isinstance(raw, staticmethod | classmethod):
        return raw.__func__
    inner = getattr(raw, "function", raw)
    return inner if inspect.isfunction(inner) else None


def _is_attribute(raw: Any) -> bool:
    return isinstance(raw, property) or type(raw).__name__ == "Shadowable"


def _is_error(value: Any) -> bool:
    return isinstance(value, type) and issubclass(value, BaseException)


def _is_enum(value: type) -> TypeGuard[type[Enum]]:
    return issubclass(value, Enum)


def _signature(name: str, value: Any) -> str:
    if inspect.isfunction(value):
        return f"`{name}{_parameters(value, bound=False)}`\n\n"
    init = vars(value).get("__init__")
    is_made = not (is_dataclass(value) or _is_error(value) or getattr(value, "_is_protocol", False))
    bases = [base.__name__ for base in value.__bases__ if base is not object]
    shown = f"`{name}{_parameters(init, bound=True)}`\n\n" if is_made and inspect.isfunction(init) else ""
    return shown + (f"A kind of `{'`, `'.join(bases)}`.\n\n" if _is_error(value) else "")


def _parameters(function: Callable[..., Any], *, bound: bool) -> str:
    signature = inspect.signature(function)
    shown, starred = [], False
    for one in list(signature.parameters.values())[1 if bound else 0 :]:
        if one.kind is one.KEYWORD_ONLY and not starred:
            shown.append("*")
            starred = True
        starred = starred or one.kind is one.VAR_POSITIONAL
        prefix = "*" if one.kind is one.VAR_POSITIONAL else "**" if one.kind is one.VAR_KEYWORD else ""
        text = f"{prefix}{one.name}: {_annotation(one.annotation)}"
        shown.append(text if one.default is one.empty else f"{text} = {_default(one.default)}")
        if one.kind is one.POSITIONAL_ONLY:
            shown.append("/")
    returned = signature.return_annotation
    arrow = "" if returned in {signature.empty, "None", None} else f" -> {_annotation(returned)}"
    return f"({', '.join(shown)}){arrow}"


def _annotation(annotation: Any) -> str:
    if isinstance(annotation, str):
        return annotation
    if annotation is inspect.Parameter.empty:
        return "Any"
    return annotation.__name__ if isinstance(annotation, type) else str(annotation).replace("typing.", "")


def _default(value: Any) -> str:
    return repr(value) if not isinstance(value, Enum) else f"{type(value).__name__}.{value.name}"


def _doc(value: Any) -> str:
    return _text(inspect.cleandoc(value.__doc__ or "")) if value.__doc__ else ""


def _text(doc: str) -> str:
    """Docstrings speak a little reStructuredText; the page speaks Markdown."""
    plain = re.sub(r":\w+:`([^`]*)`", r"`\1`", doc.replace("``", "`"))
    return re.sub(r"(?<![`\w.])(__\w+__)(?![`\w(])", r"`\1`", plain)


def _indented(text: str) -> str:
    return "\n".join(f"  {line}" if line else "" for line in text.splitlines())


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


if __name__ == "__main__":
    sys.exit(main())
