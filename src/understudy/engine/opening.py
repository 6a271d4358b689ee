"""The mailbox of an actor, opened: before its READY if it has handlers, else when it first waits for a message."""

from __future__ import annotations

import threading
from collections.abc import Coroutine
from typing import Any

from understudy.config import ProcessConfig
from understudy.engine.burial import Burial
from understudy.engine.entries import Sure
from understudy.engine.halt import Halt
from understudy.engine.hand import Answers
from understudy.engine.hooks import Loop
from understudy.engine.mailbox import Mailbox
from understudy.engine.outbox import Outbox
from understudy.engine.sections import Sections
from understudy.engine.serving import Serving
from understudy.engine.vigil import Vigil
from understudy.mail.office import Office
from understudy.process import Process
from understudy.receiving.handlers import Handler, Handlers
from understudy.spawners.base import Birth
from understudy.wire.bell import Bell
from understudy.wire.page import PLACE, lap_of


def serving_of(
    process: Process,
    config: ProcessConfig,
    birth: Birth,
    halt: Halt,
    sections: Sections,
    outbox: Outbox,
    office: Office,
    loop: Loop,
    vigil: Vigil,
) -> Serving:
    """What takes its messages; in its main thread."""
    bell = halt.waiter = Bell()
    size = config.mailbox.size
    inlet = office.exchange.inlet(birth.uid, birth.incarnation, bell.read, size)
    mailbox = Mailbox(inlet, birth, size, sections.page, office, bell)
    answers = Answers(mailbox, outbox, birth.key, bell, lambda: lap_of(sections.page.words[PLACE]))

    def run(handler: Handler, message: Any) -> Any:
        if handler.is_async:
            coroutine: Coroutine[Any, Any, Any] = handler(message)
            return loop.run(coroutine)
        return handler(message)

    burial = Burial(birth, outbox)
    mailbox.poisoned = burial.poisoned
    parts = (mailbox, Handlers(process), run, birth, config, halt, sections, answers, burial, vigil, office.flush)
    if config.mailbox.concurrency == 1:
        return _chaining(Serving(*parts), office)
    from understudy.engine.tasks import Tasks  # asyncio, which the others do without

    return _chaining(Tasks(*parts, loop, bell), office)


def _chaining(serving: Serving, office: Office) -> Serving:
    """What the main thread sends while a reliable message is in hand, is of its handling."""
    main = threading.get_ident()

    def chained() -> Sure | None:
        hand = serving.hand if threading.get_ident() == main else None
        return None if hand is None else hand.sure

    office.chained = chained
    return serving
