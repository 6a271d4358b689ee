"""A line that the subject writes."""

from __future__ import annotations

import errno
import os
import re
import stat
from dataclasses import dataclass
from typing import Literal, get_args

from understudy.errors import ConfigError, WaitFailed
from understudy.router import tailing
from understudy.services.waits import values
from understudy.settings import shown
from understudy.waiting import Answer, Holds, Log, Never, NotYet, Pace, Probe, Subject

Stream = Literal["stdout", "stderr", "both"]

_LINES = 10_000
_SIZE = 1 << 20


@dataclass(frozen=True, slots=True, repr=False)
class LogLine(values.Value):
    """Holds once the subject has written a line in which the regular expression is found.

    ``pattern`` is a text or a compiled pattern of texts; ``stream`` says where it is looked for. A line counts when its
    end was written; one of more than 64 KiB is looked at in pieces of that length. What an earlier life wrote does not
    count. Files that are renamed within their directory, or cut, are followed; what was written and cut away between
    two looks, at most 250 ms apart, is not seen. Where the subject's output does not go to files the wait ends with
    WaitFailed, at once. A pattern that backtracks without end (``(a+)+$``) holds the whole process, for Python's `re`
    lets nobody in meanwhile. ``timeout`` is in seconds, None for no bound. Raises ConfigError for what is no pattern,
    or no stream.
    """

    pattern: str | re.Pattern[str]
    stream: Stream = "both"
    timeout: float | None = values.USUAL

    def __post_init__(self) -> None:
        wanted = "a regular expression for texts"
        if not isinstance(self.pattern, re.Pattern):
            try:
                re.compile(values.text("LogLine.pattern", self.pattern, wanted))
            except re.error as error:
                raise ConfigError(f"LogLine.pattern must be {wanted}; {shown(self.pattern)} is none: {error}") from None
        elif not isinstance(self.pattern.pattern, str):
            raise ConfigError(f"LogLine.pattern must be {wanted}; got {shown(self.pattern)}")
        if self.stream not in get_args(Stream):
            choices = ", ".join(map(repr, get_args(Stream)))
            raise ConfigError(f"LogLine.stream must be one of {choices}; got {shown(self.stream)}")
        object.__setattr__(self, "timeout", values.seconds("LogLine.timeout", self.timeout))

    def start(self, subject: Subject) -> Probe:
        """Read from where what the subject itself wrote begins."""
        streams = ("stdout", "stderr") if self.stream == "both" else (self.stream,)
        logs = {log for stream in streams if (log := subject.log(stream)) is not None}
        return _Reading(re.compile(self.pattern), self.stream, subject.name, [_Tail(log) for log in sorted(logs)])


class _Tail:
    """One file, and how far it was read."""

    def __init__(self, log: Log) -> None:
        self._log = log
        self._mark: tailing.Mark | None = None
        self._start = log.start
        self.lines = 0

    def read(self) -> tuple[list[str], bool]:
        """The lines that came, and whether there are more; raises OSError where there is no such file."""
        try:
            found = os.stat(self._log.path)
        except FileNotFoundError:
            if self._mark is None:
                raise
        else:
            if not stat.S_ISREG(found.st_mode):  # to read from it would take what is meant for somebody else
                raise OSError(errno.EINVAL, "no regular file")
            if self._mark is None:
                self._mark = tailing.Mark(found.st_ino, self._start if self._start <= found.st_size else 0)
            self._start = 0  # of what takes its place the beginning counts
        share = tailing.Share(_LINES, _SIZE)
        # Where nothing is found of a file that was renamed, it may yet be: what is read twice is not seen twice.
        self._mark = tailing.since(self._log.path, self._mark, share, whole=False) or self._mark
        self.lines += len(share.taken)
        return share.taken, share.is_spent

    @property
    def path(self) -> str:
        return self._log.path


class _Reading:
    def __init__(self, pattern: re.Pattern[str], stream: str, name: str, tails: list[_Tail]) -> None:
        self._pattern = pattern
        self._stream = stream
        self._name = name
        self._tails = tails
        self._last = ""
        self._pace = Pace()

    def look(self, now: float) -> Answer:
        if not self._tails:
            where = "stdout or stderr" if self._stream == "both" else self._stream
            whose = self._name or "nobody"
            return Never(WaitFailed(f"no line can be waited for: the {where} of {whose} goes to no file"))
        missing = []
        more = False
        for tail in self._tails:
            try:
                lines, is_more = tail.read()
            except OSError as error:
                missing.append(f"{tail.path}: {error.strerror}")
                continue
            more = more or is_more
            for line in lines:
                self._last = line.rstrip("\r")
                if self._pattern.search(self._last):
                    return Holds(self._last)
        return NotYet(self._told(missing), within=0 if more else self._pace.next(now))

    def _told(self, missing: list[str]) -> str:
        count = sum(tail.lines for tail in self._tails)
        told = [f"{count} lines, the last {shown(self._last)}" if count else "no line", *missing]
        return "; ".join(told)

    def close(self) -> None:
        pass
