"""Handling messages, one at a time, each as a section of its own; and answering those that ask."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from time import monotonic
from typing import TYPE_CHECKING, Any

from understudy.engine.entries import NOBODY, Batch, Single
from understudy.engine.halt import AFTER_SECTION, NO
from understudy.engine.hand import Hand
from understudy.engine.reception import Reception
from understudy.engine.sections import Cut, Overrun, timeout_of
from understudy.engine.telling import Told
from understudy.runtime import Interruption
from understudy.wire.page import BEGUN, DEADLINE, HANDLED, NEVER, PLACE, place_of
from understudy.wire.sealing import Foreign

if TYPE_CHECKING:
    from understudy.engine.ticking import Ticking
    from understudy.engine.timers import Due

_LOOK = 0.001
"""Seconds after which plain tells in hand let in what has arrived meanwhile: it may be urgent, or an answer."""
_LINGER = 1.0
"""Seconds for answers to leave, at the end."""


class Serving(Reception):
    """The mailbox of one incarnation at work."""

    def __init__(self, *parts: Any) -> None:
        super().__init__(*parts)
        self._draining = False
        # A crash: what it had not begun is for the next life, if there may be one.
        self._bury = self._leave if self._birth.lives_left else self._bury_all
        self._find: dict[type, Callable[[Any], Any] | None] = {}
        """What handles plain messages, by their type; filled as they come."""

    def attend(self) -> bool:
        """After a section that takes messages itself: answer what it left; whether a stop ends the laps there.

        The ends that were told are handled here, for its messages are not.
        """
        self.settle()
        self.answers.catch_up()
        while not self._is_over() and self.vigil.has_come(self.mailbox):
            self._handle_end()
        return self._halt.level == AFTER_SECTION

    def serve_waiting(self, lap: int) -> None:
        """Handle what has arrived by now: what comes meanwhile waits until a section was run."""
        self.settle()
        self.mailbox.take_in()
        left, moment = len(self.mailbox.entries), monotonic()
        while not self._is_over():
            if self.ticking is not None and (due := self.ticking.next(moment)) is not None:
                self._handle_due(self.ticking, due)
            elif self.vigil.is_due(self.mailbox):
                self._handle_end()
            elif left and self.mailbox.entries:
                left -= 1
                self._handle_next(lap)
            else:
                break
        self.answers.catch_up()
        self.mailbox.sureties.tell()

    def serve(self, lap: int) -> None:
        """Handle what has arrived, until nothing is left or a stop stands; raises what the handler of a tell raises."""
        mailbox = self.mailbox
        self.settle()
        mailbox.take_in()
        while not self._is_over():
            if self.ticking is not None and (due := self.ticking.next()) is not None:
                self._handle_due(self.ticking, due)
            elif self.vigil.is_due(mailbox):
                self._handle_end()
            elif mailbox.entries:
                self._handle_next(lap)
            else:
                break
            self.answers.catch_up()
            mailbox.take_in()
        self.answers.catch_up()

    def _handle_next(self, lap: int) -> None:
        entry = self.mailbox.entries[0]
        if isinstance(entry, Batch):
            self._handle_batch(entry, lap)
        else:
            self._handle_single(entry)
        self.settle()

    def serve_on(self, lap: int) -> None:
        """Handle and wait, until a stop stands."""
        while True:
            self._halt.renewed = False  # each message goes by the settings of its moment
            self.serve(lap)
            if self._halt.level != NO:
                return
            self._flush()
            self.mailbox.wait(self._patience(None))

    def finish(self, lap: int) -> None:
        """The laps are over: what has arrived is handled if that was asked for, or left if another life follows.

        The rest is not handled, and told so.
        """
        self.settle()
        if self._halt.order == "drain":
            self._draining = True
            self.serve(lap)
        again = self._halt.level == NO and self._config.restart.policy == "always"
        self._bury = self._leave if again or self._halt.order == "restart" else self._bury_all
        self._bury()
        self._flush()

    def judged(self, verdict: str) -> None:
        """It crashed: only now is known whether another life has what was not begun, whatever was left at its birth."""
        self._bury = self._leave if verdict == "again" or self._halt.order == "restart" else self._bury_all

    def close(self) -> None:
        """End, and take nothing more."""
        self.answers.catch_up()
        self._bury()
        self.mailbox.tell_credit()
        self.mailbox.close(_LINGER)

    def _bury_all(self) -> None:
        self.burial.all_of(self.mailbox, self._sections.page)

    def _leave(self) -> None:
        self.burial.left(self.mailbox, self._sections.page)

    def _is_over(self) -> bool:
        return self._halt.heed and not self._draining and self._halt.hold() != NO

    def _lookup(self, body: Any) -> Callable[[Any], Any] | None:
        handler = self.handlers.find(body)
        if handler is None:
            found = None
        elif handler.is_async:
            found = lambda message: self._run(handler, message)  # noqa: E731 - as it is called in the next line
        else:
            found = handler.function
        self._find[type(body)] = found
        return found

    def _handle_batch(self, batch: Batch, lap: int) -> None:
        """Plain tells, one after the other; each name that a message costs is a local."""
        halt, find, clock, draining = self._halt, self._find, monotonic, self._draining
        page, place = self._sections.page, place_of(lap, "receive")
        words, reals = page.words, page.reals
        seconds = self._config.timeouts.receive
        limit = NEVER if seconds is None else seconds
        bodies, at = batch.bodies, batch.at
        ledger, spot, before = self.mailbox.ledger.words, batch.connection.spot, batch.seq - 1
        count, began, until = len(bodies), at, clock() + _LOOK
        hand = self._hand = Hand(batch.connection, None)
        try:
            while at < count:
                now = clock()
                if (halt.heed and (halt.level or halt.paused) and not draining) or now > until:
                    break
                body = bodies[at]
                at = batch.at = at + 1
                if at == count:
                    self.mailbox.entries.popleft()
                reals[DEADLINE] = now + limit
                words[PLACE] = place
                words[BEGUN] += 1
                ledger[spot] = before + at
                kind = type(body)
                handler = find[kind] if kind in find else self._lookup(body)
                if handler is None:
                    self.burial.unhandled(batch.connection, body, str(self.handlers.refusal(body)))
                else:
                    handler(body)
                page.words[HANDLED] += 1  # looked up: in a copy that the handler forked they are others
                if self._hand is not hand:  # the handler took what came next by `receive`
                    break
            self._sections.close(lap)
        except BaseException:
            page.words[HANDLED] += 1
            raise
        finally:
            self._hand = None
            self.mailbox.done(batch.connection, at - began)

    def _handle_single(self, entry: Single) -> None:
        self.mailbox.entries.popleft()
        self.mailbox.begin(entry)
        self.spans.make_ready(entry)
        hand = self._hand = Hand(entry.connection, entry.ask, 1, entry.sure)
        try:
            self._sections.step("receive", self._act, timeout_of(self._config.timeouts, "receive"), entry, hand)
            self.mailbox.sureties.returned(entry.sure)
        finally:
            self._hand, hand.room = None, 0
            if entry.seal.context is not None:
                self.spans.settle()
            self.mailbox.handled(entry.ask, entry.sure)
            self.mailbox.done(entry.connection, 1)

    def _handle_due(self, ticking: Ticking, due: Due) -> None:
        """As what was told; but it took no room, and is not counted."""
        self._hand = ticking.hand()
        try:
            self._sections.step("receive", self._act_due, timeout_of(self._config.timeouts, "receive"), due.message)
        finally:
            self._hand = None
        self.settle()

    def _handle_end(self) -> None:
        """That of one that is watched; until it is handled, it is told to each life."""
        end = self.vigil.take()
        self._hand = Hand(NOBODY, None)
        try:
            self._sections.step("receive", self.end, timeout_of(self._config.timeouts, "receive"), end)
        finally:
            self._hand = None
        self.vigil.handled(end)
        self.settle()

    def _act_due(self, body: Any) -> None:
        handler = self.handlers.find(body)
        if handler is None:
            self.unhandled(body)
        else:
            self._run(handler, body)

    def unhandled(self, body: Any) -> None:
        """A timer's message that has no handler."""
        why = f"{self.handlers.refusal(body)}; a timer of its own has sent it"
        self.burial.unhandled(NOBODY, body, why)

    def _act(self, entry: Single, hand: Hand) -> None:
        if hand.ask is None:
            self._act_told(entry)
            return
        try:
            body = self.open(entry)
        except Foreign:
            self.mailbox.reject(entry)
            return
        except BaseException as error:  # noqa: BLE001 - it is the asker's, or raised again
            self._end_ask(hand, error)
            return
        try:
            handler = self.handlers.find(body)
            if handler is None:
                raise self.handlers.refusal(body)
            self.give(hand, self._run(self.spans.around(handler, entry), body))
        except BaseException as error:  # noqa: BLE001 - it is the asker's, or raised again
            self._end_ask(hand, error)

    def _end_ask(self, hand: Hand, error: BaseException) -> None:
        """Amid its handling; raises what ends more than that."""
        if isinstance(error, Cut) and hand.ask is not None:
            self.mailbox.refuse(hand.connection, hand.ask, "stopped before it answered")
            raise error
        self.failed(hand, error)
        if not isinstance(error, Exception | Overrun):
            raise error

    def _act_told(self, entry: Single) -> None:
        try:
            body = self.open(entry)
        except Exception as error:  # noqa: BLE001 - what a user's pickle raises is no crash of who is sent it
            self.unopened(entry, error)
            return
        handler = self.handlers.find(body)
        if handler is None:
            self.burial.unhandled_alone(entry, body, str(self.handlers.refusal(body)))
        else:
            self._run(self.spans.around(handler, entry), body)

    def give(self, hand: Hand, value: Any) -> None:
        """What a handler returned is the answer, unless that was deferred; raises SerializationError, or overruns."""
        if not hand.deferred:
            self.answers.reply(hand, value)

    def failed(self, hand: Hand, error: BaseException) -> None:
        """What came of an ask in its section, an overrun or an error of any step, is the asker's."""
        seconds = timeout_of(self._config.timeouts, "receive")
        told = Told(error)
        # To tell it runs code of the user's, too: it has the whole time again, and then what was found till then goes.
        with suppress(Interruption):
            self._sections.renew(seconds)
            told.fill()
        self.answers.tell(hand, told, seconds if isinstance(error, Overrun) else None)
