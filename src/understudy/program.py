"""`Exec`: a program to be run as an actor."""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

from understudy.errors import ConfigError
from understudy.settings import shown

T = TypeVar("T")
LIMITS = (
    "as core cpu data fsize memlock msgqueue nice nofile nproc rss rtprio sigpending stack".split()  # noqa: SIM905
)
"""The resources that may be limited, as `resource.RLIMIT_…` names them; rttime is what actors are told by."""
_MOST_BITS = 0o7777
_MOST_CODE = 255
_LARGEST = 2**63 - 1
_PAIR = 2
_MOST_INPUT = 32 << 20
"""Bytes of an input that is given as such: it is kept for each life, and travels with it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Exec:
    """A program with its arguments, for `spawn`: it runs as an actor, with lives, a stop ladder and figures.

    ``argv`` is a list, the program first: a path, or a name that is looked for in the PATH of its environment. There is
    no shell in between; ``["sh", "-c", line]`` brings one. ``env`` is set over the environment of the spawn (None
    removes a variable), ``cwd`` is where it works (default: where the spawn was), ``umask`` what its files are kept
    from, ``user`` whom it runs as, by name or number (root may say so), ``limits`` what of the system it may use at
    most, by the names of `resource`: ``{"nofile": 4096, "core": (0, 0)}``, soft or soft and hard, None for unlimited.
    It reads ``stdin``: bytes or text (32 MiB at most), a Path of a file, or nothing. Each life begins with all of that
    anew.

    It is RUNNING when it was begun: when the kernel took it for a program. Its result is its exit code: one of
    ``ok_codes``, or after a stop any; -15 where the stop's SIGTERM ended it, None where nobody could say. Other ends
    are crashes.

    Raises ConfigError for what can't be meant, by field and value. That there is no such program, or that it may not be
    run, is known when it is begun: a StartError, and no further life.
    """

    argv: tuple[str, ...]
    env: Mapping[str, str | None] = field(default_factory=dict, repr=False)
    """Not shown, as ``stdin`` is not: there may be secrets in it."""
    cwd: str | None = None
    user: str | int | None = None
    umask: int | None = None
    limits: Mapping[str, Any] = field(default_factory=dict)
    stdin: bytes | str | os.PathLike[str] | None = field(default=None, repr=False)
    ok_codes: Collection[int] = frozenset({0})

    def __init__(  # one argument each for what a user may say
        self,
        argv: Sequence[str | os.PathLike[str]],
        *,
        env: Mapping[str, str | None] | None = None,
        cwd: str | os.PathLike[str] | None = None,
        user: str | int | None = None,
        umask: int | None = None,
        limits: Mapping[str, int | tuple[int | None, int | None] | None] | None = None,
        stdin: bytes | str | os.PathLike[str] | None = None,
        ok_codes: Collection[int] = (0,),
    ) -> None:
        values: dict[str, Any] = {
            "argv": _checked_argv(argv),
            "env": _checked_env(env),
            "cwd": None if cwd is None else _text("cwd", cwd),
            "user": _checked_user(user),
            "umask": _checked_umask(umask),
            "limits": _checked_limits(limits),
            "stdin": _checked_input(stdin),
            "ok_codes": _checked_codes(ok_codes),
        }
        for name, value in values.items():
            object.__setattr__(self, name, value)

    def __hash__(self) -> int:
        return hash(self.argv)

    @property
    def label(self) -> str:
        """The program's name, without its directory: the stem of a generated name."""
        return os.path.basename(self.argv[0])


def _wrong(name: str, value: object, wanted: str) -> ConfigError:
    return ConfigError(f"Exec({name}={shown(value)}): {wanted}")


def _text(name: str, value: object) -> str:
    """A text that the kernel takes: no NUL in it, and not empty."""
    try:
        text = os.fspath(value)  # type: ignore[call-overload]  # whatever it is, it is told
    except TypeError:
        text = None
    if not text or not _is_text(text):
        raise _wrong(name, value, "give a text, or a path, that is not empty")
    return str(text)


def _is_text(value: object) -> bool:
    """Whether the kernel would take that: it has no NUL in it, and can be encoded."""
    try:
        return isinstance(value, str) and b"\0" not in os.fsencode(value)
    except UnicodeEncodeError:
        return False


def _checked_argv(argv: object) -> tuple[str, ...]:
    if isinstance(argv, str):
        advice = "give a list, the program first: ['redis-server', '--port', '6390']; for a shell ['sh', '-c', line]"
        raise _wrong("argv", argv, advice)
    if not isinstance(argv, Sequence) or isinstance(argv, bytes | bytearray) or not argv:
        raise _wrong("argv", argv, "give a list of texts, the program first")
    first = _text("argv", argv[0])
    rest = []
    for one in argv[1:]:
        try:
            text = os.fspath(one)
        except TypeError:
            text = None
        if not _is_text(text):
            raise _wrong("argv", argv, f"an argument is a text or a path; {shown(one)} is none")
        rest.append(str(text))
    return (first, *rest)


def _checked_env(env: object) -> dict[str, str | None]:
    if env is None:
        return {}
    if not isinstance(env, Mapping):
        raise _wrong("env", env, "give a mapping of variables; None removes one")
    made: dict[str, str | None] = {}
    for name, value in env.items():
        # Without the others, and without a text that may be a secret.
        if not isinstance(name, str) or not name or "=" in name or not _is_text(name):
            raise ConfigError(f"Exec(env=...): {shown(name)} cannot be the name of a variable")
        if value is not None and not _is_text(value):
            told = "a text that no variable can hold" if isinstance(value, str) else shown(value)
            raise ConfigError(f"Exec(env=...): {name} is {told}; it is a text, or None, which removes it")
        made[name] = value
    return made


def _checked_user(user: object) -> str | int | None:
    if user is None or (isinstance(user, int) and not isinstance(user, bool) and 0 <= user < 2**32 - 1):
        return user
    if isinstance(user, str) and user:
        import pwd  # few programs are given a user

        try:
            pwd.getpwnam(user)
        except KeyError:
            raise _wrong("user", user, "there is no such user") from None
        return user
    raise _wrong("user", user, "give the name or the number of a user")


def _checked_umask(umask: object) -> int | None:
    if umask is None or (isinstance(umask, int) and not isinstance(umask, bool) and 0 <= umask <= _MOST_BITS):
        return umask
    raise _wrong("umask", umask, "give the bits as a number, as in 0o027")


def _checked_limits(limits: object) -> dict[str, Any]:
    if limits is None:
        return {}
    if not isinstance(limits, Mapping):
        raise _wrong("limits", limits, "give a mapping, as in {'nofile': 4096}")
    made: dict[str, Any] = {}
    for name, bounds in limits.items():
        if name not in LIMITS:
            raise _wrong("limits", limits, f"{shown(name)} is no limit; there are {', '.join(LIMITS)}")
        pair = isinstance(bounds, tuple | list) and len(bounds) == _PAIR
        given = tuple(bounds) if pair else (bounds,)
        if not all(_is_bound(one) for one in given):
            raise _wrong("limits", limits, f"{name} is {shown(bounds)}; it is a number, two of them, or None")
        if pair and given[1] is not None and (given[0] is None or given[0] > given[1]):
            raise _wrong("limits", limits, f"the soft limit of {name} is above its hard one")
        made[name] = given if pair else bounds
    return made


def _is_bound(value: object) -> bool:
    return value is None or (isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= _LARGEST)


def _checked_input(stdin: object) -> bytes | str | os.PathLike[str] | None:
    if stdin is None:
        return None
    if isinstance(stdin, bytes | str):
        try:
            size = len(stdin.encode() if isinstance(stdin, str) else stdin)
        except UnicodeEncodeError as error:
            raise ConfigError(f"Exec(stdin=...): it cannot be encoded: {error.reason}; give bytes") from None
        if size > _MOST_INPUT:
            raise ConfigError(f"Exec(stdin=...): {size} bytes are more than {_MOST_INPUT}; give the Path of a file")
        return stdin
    if isinstance(stdin, os.PathLike):
        _text("stdin", stdin)
        return stdin
    raise _wrong("stdin", stdin, "give bytes or text that it reads, a Path of a file, or None for nothing")


def _checked_codes(codes: object) -> frozenset[int]:
    if isinstance(codes, Collection) and not isinstance(codes, str | bytes | bytearray):
        made = [one for one in codes if type(one) is int and 0 <= one <= _MOST_CODE]
        if made and len(made) == len(codes):
            return frozenset(made)
    raise _wrong("ok_codes", codes, f"give exit codes, at least one, from 0 to {_MOST_CODE}")
