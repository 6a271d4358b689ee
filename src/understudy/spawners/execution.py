"""In a fork of the zygote: how it becomes a program.

Whatever a Python would leave behind is put back first: signals, descriptors. What stays is the leash, by a descriptor
that passes through the exec, the marks by which a sweep knows what the program started, and a session of its own.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import resource
import signal
import socket
from dataclasses import dataclass
from typing import Any, NoReturn

from understudy import failpoints
from understudy.spawners import circumstances, family, guard, signals
from understudy.spawners.base import Birth, to_file
from understudy.spawners.thresholds import BEGINS, FAILED, NOTICES, REMARK
from understudy.wire import regular
from understudy.wire.codec import pack, unpack
from understudy.wire.page import Page, Phase

COULD_NOT = 127
"""The exit code of a process that became no program; shells have the same."""
_LIMIT = 64 << 20
_HIGH = 100
"""Where the leash is put: scripts use low numbers, and would close it."""
_STREAMS = ("stdout", "stderr")
_MOST = 4096
"""Characters of what is told in one word; the parent reads 64 KiB of it."""


@dataclass(frozen=True, slots=True)
class Part:
    """Which program, and how it is begun: what the blob of its spec holds.

    ``env`` is set over the variables of the spawn, None removes one; ``user`` is a number, a group's, and further
    groups'; ``limits`` are names of resources with their soft and hard values; ``input`` is what it reads, or the path
    of that.
    """

    argv: tuple[bytes, ...]
    env: dict[bytes, bytes | None]
    cwd: bytes | None
    user: tuple[int, int, tuple[int, ...]] | None
    umask: int | None
    limits: dict[str, tuple[int, int]]
    input: bytes | None
    input_path: bytes | None
    notifies: bool = False
    """Whether it says by `sd_notify` that it is ready."""

    def packed(self) -> bytes:
        """As bytes."""
        values = [self.argv, self.env, self.cwd, self.user, self.umask, self.limits, self.input, self.input_path]
        return pack([*values, self.notifies])

    @classmethod
    def opened(cls, blob: bytes) -> Part:
        """The reverse."""
        argv, env, cwd, user, umask, limits, given, path, notifies = unpack(blob, _LIMIT)
        groups = None if user is None else (user[0], user[1], tuple(user[2]))
        bounds = {name: (soft, hard) for name, (soft, hard) in limits.items()}
        return cls(tuple(argv), env, cwd, groups, umask, bounds, given, path, notifies)


def become(page_fd: int, birth_fd: int, threshold_fd: int) -> int:
    """Become the program of one incarnation; the exit code where that cannot be. What it comes to is told there."""
    os.setsid()
    threshold = socket.socket(fileno=threshold_fd)
    page = Page.at(page_fd)
    page.phase = Phase.BORN
    birth = Birth.from_file(birth_fd)
    failpoints.hit("child.boot", birth.incarnation)
    leash = guard.arm(birth.directory)
    if leash is None:
        return 0  # nobody is left to act for
    guard.widen(leash)  # what it starts is on the leash, too, as long as it stays in its group
    page.phase = Phase.GUARDED
    family.wear_mark(birth.system, birth.uid, birth.incarnation)
    circumstances.take(birth.place)
    circumstances.wear(family.marker(birth.system, birth.uid, birth.incarnation))
    circumstances.bear(birth.name)
    try:
        _dress(Part.opened(birth.blob), birth, page, threshold, leash)
    except _Hindrance as hindrance:
        threshold.send(pack([FAILED, hindrance.kind, _brief(str(hindrance))]))
    return COULD_NOT


class _Hindrance(Exception):
    """Why it became no program."""

    def __init__(self, error: Exception, text: str) -> None:
        super().__init__(text)
        self.kind = type(error).__name__


def _dress(part: Part, birth: Birth, page: Page, threshold: socket.socket, leash: int) -> NoReturn:
    """Put on all that the program is to have, then become it."""
    starts = _lead_output(birth.output, page, threshold)
    _lead_input(part)
    if part.umask is not None:
        os.umask(part.umask)
    if part.cwd is not None:
        _try(f"it cannot work in {os.fsdecode(part.cwd)!r}", os.chdir, part.cwd)
    notices = _offer_notices(threshold) if part.notifies else None
    _shut_all_but(_raised(leash))
    # From here on nothing is opened any more: few programs need as many descriptors as their way here.
    for name, bounds in part.limits.items():
        _try(f"its limit of {name} cannot be {_told(bounds)}", _set_limit, name, bounds)
    if part.user is not None:
        _try(f"it cannot run as the user of number {part.user[0]}", _run_as, *part.user)
    for number in signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP}:
        signals.handle(number, signals.DEFAULT)
    failpoints.hit("child.exec", birth.incarnation)
    page.phase = Phase.OPENING
    threshold.send(pack([BEGINS, starts]))
    signals.mask(signal.SIG_SETMASK, ())  # a SIGTERM that came on the way ends it here
    wanted = {**os.environb, b"NOTIFY_SOCKET": notices, **part.env}
    environment = {name: value for name, value in wanted.items() if value is not None}
    try:
        os.execvpe(part.argv[0], part.argv, environment)  # noqa: S606 - whose program it is, is the user's to say
    except (OSError, ValueError) as error:
        raise _Hindrance(error, _why(error, part, environment)) from error


def _lead_output(directory: str | None, page: Page, threshold: socket.socket) -> dict[str, int]:
    """To its files, if it has some; at which byte of these it begins.

    A stream that finds none stays the parent's: no service fails for a full disk.
    """
    starts: dict[str, int] = {}
    for number, stream in enumerate(() if directory is None else _STREAMS, 1):
        path = os.path.join(directory or "", stream)
        try:
            os.makedirs(os.path.dirname(path), exist_ok=True)
            fd = regular.opened(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
        except OSError as error:
            remark = f"{path} cannot be opened, and {stream} stays the parent's: {error}"
            threshold.send(pack([REMARK, _brief(remark)]))
            continue
        starts[stream] = os.fstat(fd).st_size
        os.dup2(fd, number)
        os.close(fd)
        if stream == "stderr":
            page.stderr_from = starts[stream]
    return starts


def _lead_input(part: Part) -> None:
    """To what it reads; a zygote's children read nothing."""
    if part.input is not None:
        fd = to_file("understudy-input", part.input)
        os.lseek(fd, 0, os.SEEK_SET)
    elif part.input_path is not None:
        flags = os.O_RDONLY | os.O_NOCTTY
        fd = _try("what it is to read cannot be opened", os.open, part.input_path, flags)
    else:
        return
    os.dup2(fd, 0)
    os.close(fd)


def _offer_notices(threshold: socket.socket) -> bytes:
    """A socket at which the parent listens, by a name that nobody has to remove; the variable that tells of it.

    Whose word it is, comes with it: such a name is open to every user.
    """
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notices:
        notices.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
        notices.bind("")
        name: bytes = notices.getsockname()
        socket.send_fds(threshold, [pack([NOTICES])], [notices.fileno()])
    return b"@" + name[1:]


def _set_limit(name: str, bounds: tuple[int, int]) -> None:
    number = getattr(resource, f"RLIMIT_{name.upper()}")
    hard = resource.getrlimit(number)[1]
    resource.setrlimit(number, (bounds[0], bounds[1] if bounds[1] != KEPT else hard))


KEPT = -2
"""In place of a hard limit: as it is."""


def _told(bounds: tuple[int, int]) -> str:
    """A limit as it was given, in words."""
    given = bounds[:1] if bounds[1] == KEPT else bounds
    return ", ".join("unlimited" if one == resource.RLIM_INFINITY else str(one) for one in given)


def _run_as(user: int, group: int, groups: tuple[int, ...]) -> None:
    if os.geteuid() != 0 and (os.getuid(), os.getgid()) == (user, group):
        return  # it is that user, and may not even say so
    os.setgroups(groups)
    os.setgid(group)
    os.setuid(user)


def _raised(leash: int) -> int:
    """The leash under a number that scripts leave alone, kept through the exec; its signal is the open file's."""
    soft = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    try:
        high = fcntl.fcntl(leash, fcntl.F_DUPFD, soft - 1 if 0 < soft <= _HIGH else _HIGH)
    except OSError:  # none is free
        high = leash
    os.set_inheritable(high, True)  # noqa: FBT003 - it takes no keyword
    return high


def _shut_all_but(leash: int) -> None:
    """Nothing of the zygote's or of ours passes through the exec but the leash and the three standard ones."""
    for name in os.listdir("/proc/self/fd"):
        fd = int(name)
        if fd not in {0, 1, 2, leash}:
            try:
                os.set_inheritable(fd, False)  # noqa: FBT003
            except OSError as error:
                if error.errno != errno.EBADF:  # the one that listed them
                    raise


def _brief(text: str) -> str:
    """Its beginning and its end, where it is longer than a word may be: a PATH has no bound."""
    return text if len(text) <= _MOST else f"{text[: _MOST // 2]} … {text[-_MOST // 2 :]}"


def _try(what: str, act: Any, *arguments: Any) -> Any:
    try:
        return act(*arguments)
    except (OSError, ValueError) as error:
        raise _Hindrance(error, f"{what}: {getattr(error, 'strerror', None) or error}") from error


def _why(error: Exception, part: Part, environment: dict[bytes, bytes]) -> str:
    """What is wrong with the program, in words."""
    given = os.fsdecode(part.argv[0])
    code = getattr(error, "errno", None)
    if os.sep not in given:
        return _why_not_in_path(error, given, environment)
    if code == errno.ENOENT and os.path.exists(given):
        first = ""
        with contextlib.suppress(OSError), open(given, "rb") as file:
            first = file.readline(200).decode(errors="replace").strip()
        told = f"which its first line names ({first})" if first.startswith("#!") else "which it needs"
        return f"{given!r} is there, but the interpreter, {told}, is not"
    if code in {errno.ENOENT, errno.ENOTDIR}:
        return f"there is no {given!r} (from where it begins: {circumstances.directory()})"
    if code == errno.EACCES and os.path.isdir(given):
        return f"{given!r} is a directory"
    if code == errno.EACCES:
        return f"{given!r} may not be executed by this user (chmod +x?)"
    if code == errno.ENOEXEC:
        return f"{given!r} is no program: it is none of this machine, and its first line names no interpreter (#!)"
    return f"{given!r}: {getattr(error, 'strerror', None) or error}"


def _why_not_in_path(error: Exception, given: str, environment: dict[bytes, bytes]) -> str:
    path = os.fsdecode(environment.get(b"PATH", os.defpath))
    code = getattr(error, "errno", None)
    if code in {errno.ENOENT, errno.ENOTDIR}:
        return f"{given!r} is nowhere in PATH ({path})"
    if code == errno.EACCES:
        return f"{given!r} is in PATH ({path}), but may not be executed by this user"
    if code == errno.ENOEXEC:
        return f"{given!r} in PATH ({path}) is no program: its first line names no interpreter (#!)"
    return f"{given!r}: {getattr(error, 'strerror', None) or error}"
