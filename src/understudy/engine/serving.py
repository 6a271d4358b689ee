"""Handling messages, one at a time, each as a section of its own; and answering those that ask."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from time import monotonic
from typing import TYPE_CHECKING, Any

from understudy.config import ProcessConfig
from understudy.engine.burial import Burial
from understudy.engine.entries import Batch, Single
from understudy.engine.halt import AFTER_SECTION, NO, Halt
from understudy.engine.hand import Answers, Hand, Ticket
from understudy.engine.mailbox import Mailbox
from understudy.engine.sections import Cut, Overrun, Sections, timeout_of
from understudy.engine.telling import Told
from understudy.errors import WaitTimeout, WrongProcess
from understudy.receiving.deferred import Deferred, Pending
from understudy.receiving.handlers import Handler, Handlers
from understudy.ref import ActorRef
from understudy.runtime import Interruption
from understudy.spawners.base import Birth
from understudy.wire.page import BEGUN, DEADLINE, HANDLED, NEVER, PLACE, place_of
from understudy.wire.sealing import Foreign, unseal

if TYPE_CHECKING:
    from understudy.engine.ticking import Ticking
    from understudy.engine.timers import Due

_LOOK = 0.001
"""Seconds after which plain tells in hand let in what has arrived meanwhile: it may be urgent, or an answer."""
_LINGER = 1.0
"""Seconds for answers to leave, at the end."""

Run = Callable[[Handler, Any], Any]
"""Calls a handler, also one that is `async def`, and gives its value."""


class Serving:
    """The mailbox of one incarnation at work."""

    ticking: Ticking | None = None
    """Its timers, from the first one on."""

    def __init__(
        self,
        mailbox: Mailbox,
        handlers: Handlers,
        run: Run,
        birth: Birth,
        config: ProcessConfig,
        halt: Halt,
        sections: Sections,
        answers: Answers,
        burial: Burial,
        flush: Callable[[], None],
    ) -> None:
        self.mailbox, self.handlers, self.answers, self.burial = mailbox, handlers, answers, burial
        self._run, self._birth, self._config = run, birth, config
        self._halt, self._sections, self._flush = halt, sections, flush
        self._hand: Hand | None = None
        self._received: Hand | None = None
        self._draining = False
        # A crash: what it had not begun is for the next life, if there may be one.
        self._bury = self._leave if birth.lives_left else self._bury_all
        self._find: dict[type, Callable[[Any], Any] | None] = {}
        """What handles plain messages, by their type; filled as they come."""

    # --- for hooks and handlers

    @property
    def hand(self) -> Hand | None:
        """The message in hand."""
        return self._hand

    @property
    def sender(self) -> ActorRef[Any] | None:
        """Who sent the message in hand; None for the program itself, or if there is none."""
        hand = self.hand
        if hand is None or not hand.connection.uid:
            return None
        return ActorRef(self._birth.system, hand.connection.uid, hand.connection.name)

    def defer(self) -> Deferred:
        """What answers the message in hand; what its handler returns is no answer then."""
        hand = self.hand
        if hand is None:
            raise WrongProcess("defer() is for a handler, or after receive(): there is no message in hand")
        if hand.pending is None:
            hand.pending = Pending(self.ticket(hand))
        hand.held += 1
        return Deferred(hand.pending)

    def ticket(self, hand: Hand) -> Ticket:
        """The right to answer it later."""
        return Ticket(hand, self.answers)

    def timers(self) -> Ticking:
        """Its timers; in any thread."""
        if self.ticking is not None:
            return self.ticking
        from understudy.engine.ticking import Ticking  # for those who have any

        made = Ticking(self.mailbox, self._halt)
        found: Ticking = vars(self).setdefault("ticking", made)  # one step: two threads may both be the first
        return found

    def receive(self, timeout: float | None) -> Any:
        """The next message, in place of its handler; raises WaitTimeout, also when a stop stands."""
        until = None if timeout is None else monotonic() + timeout
        self.settle()
        self._flush()
        while True:
            self._halt.check()
            self.mailbox.take_in()
            self.answers.catch_up()
            if self.ticking is not None and (due := self.ticking.next()) is not None:
                self._hand = self.ticking.hand()
                return due.message
            found = self.mailbox.next_body()
            if isinstance(found, Single):
                self.mailbox.handled(found.ask, found.sure)  # as far as anybody can tell
                self._hand = self._received = Hand(found.connection, found.ask, sure=found.sure)
                try:
                    return self.open(found)
                except Exception as error:  # noqa: BLE001 - what a user's pickle raises is no crash of who is sent it
                    self._received = None
                    self.unopened(found, error)
                    continue
            if found is not None:
                self.mailbox.handled(None, None)
                self._hand = Hand(found[0], None)
                return found[1]
            if self._halt.level != NO:
                self._sections.cut()
            if until is not None and monotonic() >= until:
                raise WaitTimeout(f"no message came to {self._birth.name} within {timeout:g} s")
            self.mailbox.wait(self._patience(None if until is None else max(0.0, until - monotonic())))

    def settle(self) -> None:
        """What `receive` gave last is handled: who asked, and is not to be answered later, gets None."""
        hand, self._received = self._received, None
        if hand is not None and not hand.deferred:
            self.answers.reply(hand, None)
        if hand is not None:
            self.mailbox.sureties.returned(hand.sure)

    # --- serving

    def attend(self) -> bool:
        """After a section that takes messages itself: answer what it left; whether a stop ends the laps there."""
        self.settle()
        self.answers.catch_up()
        return self._halt.level == AFTER_SECTION

    def serve_waiting(self, lap: int) -> None:
        """Handle what has arrived by now: what comes meanwhile waits until a section was run."""
        self.settle()
        self.mailbox.take_in()
        left, moment = len(self.mailbox.entries), monotonic()
        while not self._is_over():
            if self.ticking is not None and (due := self.ticking.next(moment)) is not None:
                self._handle_due(self.ticking, due)
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

    def open(self, entry: Single) -> Any:
        """The message; raises ProtocolError, and what opening it raises."""
        return unseal(entry.seal.sealed(entry.frames), self._birth.key, self.mailbox.borrower, entry.connection.ident)

    def _is_over(self) -> bool:
        return self._halt.heed and not self._draining and self._halt.hold() != NO

    def _patience(self, seconds: float | None) -> float | None:
        """For how long to wait, at most so many seconds."""
        return seconds if self.ticking is None else self.ticking.patience(seconds)

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
        hand = self._hand = Hand(entry.connection, entry.ask, 1, entry.sure)
        try:
            self._sections.step("receive", self._act, timeout_of(self._config.timeouts, "receive"), entry, hand)
            self.mailbox.sureties.returned(entry.sure)
        finally:
            self._hand, hand.room = None, 0
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

    def _act_due(self, body: Any) -> None:
        handler = self.handlers.find(body)
        if handler is None:
            self.unhandled(body)
        else:
            self._run(handler, body)

    def unhandled(self, body: Any) -> None:
        """A timer's message that has no handler."""
        why = f"{self.handlers.refusal(body)}; a timer of its own has sent it"
        self.burial.unhandled(self.timers().nobody, body, why)

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
            self.give(hand, self._run(handler, body))
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
            self._run(handler, body)

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

    def unopened(self, entry: Single, error: Exception) -> None:
        """One that was not sealed here is rejected; of another one the sender has a word, or a dead letter."""
        self.mailbox.sureties.returned(entry.sure)
        if isinstance(error, Foreign):
            self.mailbox.reject(entry)
        elif entry.ask is None:
            self.burial.unopened(entry.connection, error)
        else:
            self.answers.fail(Hand(entry.connection, entry.ask), error)
