"""One life: laps, the graceful end, or the telling of a crash and what the verdict asks."""

from __future__ import annotations

import contextlib
import mmap
import os
import sys
import traceback
from collections.abc import Callable
from typing import Any, NoReturn

from understudy import failpoints
from understudy.config import ProcessConfig
from understudy.engine import laps
from understudy.engine.halt import AFTER_SECTION, NO, Halt
from understudy.engine.hooks import Loop, hook
from understudy.engine.inside import Actor
from understudy.engine.link import Link
from understudy.engine.outbox import Outbox
from understudy.engine.sections import Cut, Overrun, Sections, timeout_of
from understudy.engine.telling import Told
from understudy.errors import TooLarge
from understudy.hooks import HOOKS
from understudy.outcome import build_error
from understudy.part import part_of
from understudy.process import Process
from understudy.runtime import Interruption
from understudy.status import Crash
from understudy.wire import messages
from understudy.wire.page import SECTIONS
from understudy.wire.pickling import dump_frames

CRASHED = 1
_MAX_CODE = 255
_RESERVE = 4 << 20
"""Bytes of address space, never touched, that are given back when memory runs out: telling it takes some too."""


class Act:
    """The performance of one incarnation, in its main thread."""

    def __init__(
        self,
        process: Process,
        config: ProcessConfig,
        actor: Actor,
        halt: Halt,
        sections: Sections,
        link: Link,
        outbox: Outbox,
        loop: Loop,
    ) -> None:
        self._process, self._config, self._actor = process, config, actor
        self._halt, self._sections, self._link, self._outbox = halt, sections, link, outbox
        self._hooks: dict[str, Callable[..., Any] | None] = {name: hook(process, name, loop) for name in HOOKS}
        self._copied = False
        self._reserve = mmap.mmap(-1, _RESERVE, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)

    def play(self) -> int:
        """Run the laps and the end; the exit code."""
        try:
            self._laps()
            self._sections.close(self._actor.lap)  # in here, for an interruption may come while it is still open
        except Cut:
            # A stop stands and its grace for this section is over: what remains is the graceful end.
            self._sections.close(self._actor.lap)
        except BaseException as error:  # noqa: BLE001 - whatever a hook raises is its crash
            self._make_room(error)
            section, lap = self._where()
            self._sections.close(lap)
            if self._copied:
                self._leave_copy(error)
            return self._crashed(error, section, lap)
        if self._copied:
            self._leave_copy(None)
        return self._finish()

    def hold_rites(self, crash: Crash) -> int:
        """Run `__error__` alone, for a life that died without a word."""
        return self._rites(crash)

    def _laps(self) -> None:
        while True:
            self._halt.renewed = False
            self._laps_after(self._sections.page.laps)
            if self._halt.level != NO or not self._halt.renewed:
                return

    def _laps_after(self, done: int) -> None:
        """Those after so many, by the settings as they are now."""
        timers = part_of(self._process).timers
        hooks = {name: self._hooks[name] for name in ("preloop", "loop", "postloop")}
        after_lap = None
        if timers is not None or self._config.log_laps:
            log = self._actor_log()
            spent: dict[str, float] = {}
            if self._config.log_laps:
                hooks = {name: found and laps.noting(found, name, spent) for name, found in hooks.items()}

            def after_lap(lap: int) -> None:
                if timers is not None:
                    timers.finish_lap()
                if self._config.log_laps:
                    sections = ", ".join(f"{name} {seconds:.6f}" for name, seconds in spent.items())
                    log.debug("lap %d took %.6f s (%s)", lap, self._actor.last_lap_time, sections)

        serving, parts = self._actor.serving, (self._sections, self._halt, self._config, hooks)
        begun = self._actor.attending
        if serving is None or begun:
            laps.run(self._sections.page, self._halt, self._config, hooks, self._actor.times, after_lap, begun, done)
            if begun and self._halt.level == NO:
                done, attend = self._sections.page.laps, begun[0]
                laps.run_between(*parts, self._actor.times, after_lap, lambda _: attend(), done)
        elif hooks["loop"] is None:
            laps.serve(*parts, serving.serve_on)
        else:
            laps.run_between(*parts, self._actor.times, after_lap, serving.serve_waiting, done)

    def _finish(self) -> int:
        self._link.flush()
        self._link.obey_page(self._sections.page)
        self._halt.hold()
        if self._actor.serving is not None:
            self._actor.serving.finish(self._actor.lap)
        if not self._link.ordered:  # else the parent knows
            self._outbox.say(messages.Finishing(self._halt.cause or "laps done", self._halt.level != NO))
        try:
            self._section("onfinish")
        except Cut:
            pass
        except BaseException as error:  # noqa: BLE001 - whatever it is, it is the crash of this hook
            return self._crashed(error, "onfinish", self._actor.lap)
        try:
            frames = self._section("result", self._pack_result)
            self._link.flush()
            self._outbox.say(messages.Result(self._measures(), self._outbox.tag(frames), tuple(frames)))
        except BaseException as error:  # noqa: BLE001 - the same, and of packing what it returned
            return self._crashed(error, "result", self._actor.lap)
        failpoints.hit("result.send", self._actor.incarnation)
        self._link.acknowledged.wait()
        failpoints.hit("result.acknowledged", self._actor.incarnation)
        return 0

    def _crashed(self, error: BaseException, section: str, lap: int) -> int:
        """Tell it, hear what is to be done, do it."""
        self._make_room(error)
        timeout = timeout_of(self._config.timeouts, section) if isinstance(error, Overrun) else None
        told = error if not isinstance(error, Overrun | Cut) else None
        name, text, story, frames = self._tell(error, section)
        if isinstance(error, Cut):
            name, text = "SIGTERM", "interrupted at the end of the stop's grace"
        self._link.flush()
        self._outbox.say(
            messages.Error(
                section, lap, "", timeout, name, text, story, self._measures(), self._outbox.tag(frames), tuple(frames)
            )
        )
        self._link.judged.wait()
        if self._actor.serving is not None:
            self._actor.serving.judged(self._link.verdict)
        if self._link.verdict == "rites":
            crash = Crash(
                kind="error" if timeout is None else "timeout",
                incarnation=self._actor.incarnation,
                section=section,
                lap=lap,
                text=text,
                type_name=name,
                traceback=story,
                seconds=timeout,
                payload=tuple(frames),
            )
            self._rites(crash, original=told)
        return _exit_code(error)

    def _rites(self, crash: Crash, original: BaseException | None = None) -> int:
        error = build_error(crash, self._actor.name, None, original)
        self._actor.error = error
        word, timeout = "original", None
        subject: BaseException | None = None
        try:
            word, subject, frames = self._section("error", lambda value: self._pack_fallback(value, error))
        except Cut:
            frames = []  # a stop's grace is over: the first error stands
        except BaseException as raised:  # noqa: BLE001 - whatever the rites raise is told beside the first error
            self._make_room(raised)
            word, subject, frames = "failed", raised, []
            timeout = timeout_of(self._config.timeouts, "error") if isinstance(raised, Overrun) else None
        name = text = story = ""
        if subject is not None:
            name, text, story, frames = self._tell(subject, "error")
        self._outbox.say(
            messages.Rites(word, name, text, story, self._measures(), timeout, self._outbox.tag(frames), tuple(frames))
        )
        self._link.acknowledged.wait()
        return CRASHED

    def _tell(self, error: BaseException, section: str) -> tuple[str, str, str, list[Any]]:
        """Type, text, traceback and pickle of an error, under the section's timeout: its methods are the user's too."""
        told = Told(error)

        def fill() -> None:
            if isinstance(error, MemoryError):
                traceback.clear_frames(error.__traceback__)  # what the hook held is needed to tell of it
            told.fill()

        # Whatever it could not tell in its time, the rest is told.
        with contextlib.suppress(Interruption):
            self._sections.run(section, fill, timeout_of(self._config.timeouts, section))
        return told.name, told.text, told.story, told.frames

    def _make_room(self, error: BaseException) -> None:
        """The first thing after an error: where memory ran out, each step of the telling takes a little."""
        if isinstance(error, MemoryError):
            self._reserve.close()

    def _pack_result(self, value: Any) -> list[Any]:
        frames = dump_frames(value, "result")
        self._check_size(frames)
        return frames

    def _pack_fallback(self, value: Any, error: BaseException) -> tuple[str, BaseException | None, list[Any]]:
        if value is None or value is error:
            return "original", None, []
        if isinstance(value, BaseException):
            return "raise", value, []
        frames = dump_frames(value, "the fallback of __error__")
        self._check_size(frames)
        return "fallback", None, frames

    def _section(self, name: str, pack: Callable[[Any], Any] | None = None) -> Any:
        """Run a hook; to pack what it gave is a part of its section, for that runs code of the user's too."""
        found = self._hooks[name]

        def act() -> Any:
            value = None if found is None else found()
            return value if pack is None or self._copied else pack(value)

        try:
            value = act() if found is None else self._sections.run(name, act, timeout_of(self._config.timeouts, name))
        except BaseException as error:
            if self._copied:
                self._leave_copy(error)
            raise
        if self._copied:
            self._leave_copy(None)
        return value

    def _where(self) -> tuple[str, int]:
        name, lap = self._sections.page.place
        return name or SECTIONS[2], lap

    def _check_size(self, frames: list[Any]) -> None:
        size, limit = sum(memoryview(frame).nbytes for frame in frames), self._config.limits.result
        if size > limit:
            raise TooLarge(f"the result of {self._actor.name} has {size} bytes; limits.result allows {limit}")

    def _measures(self) -> dict[str, Any]:
        timers = part_of(self._process).timers
        return {"timers": None if timers is None else timers.state(), "stats": self._actor.stats.to_dict()}

    def _actor_log(self) -> Any:
        return Process.__dict__["log"].function(self._process)

    def disown(self) -> None:
        """In a copy that the user's code forked: it is not the actor, and will not run another section."""
        self._copied = True
        self._sections.page.detach()
        self._outbox.mute()
        if self._actor.serving is not None:
            self._actor.serving.mailbox.disown()
        self._halt.level = AFTER_SECTION
        self._halt.heed = True

    def _leave_copy(self, error: BaseException | None) -> NoReturn:
        """The copy ran out of the hook in which it was forked: it ends as a plain fork of a script would."""
        code = 0
        if isinstance(error, SystemExit):
            code = _exit_code(error) if error.code else 0
        elif error is not None:
            traceback.print_exception(error)
            code = CRASHED
        sys.stdout.flush()
        os._exit(code)


def _exit_code(error: BaseException) -> int:
    code = error.code if isinstance(error, SystemExit) else None
    return code if isinstance(code, int) and 0 < code <= _MAX_CODE else CRASHED
