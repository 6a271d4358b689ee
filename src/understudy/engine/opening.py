"""The mailbox of an actor, opened: before its READY if it has handlers, else when it first waits for a message."""

from __future__ import annotations

from collections.abc import Coroutine
from typing import Any

from understudy.config import ProcessConfig
from understudy.engine.burial import Burial
from understudy.engine.halt import Halt
from understudy.engine.hand import Answers
from understudy.engine.hooks import Loop
from understudy.engine.mailbox import Mailbox
from understudy.engine.outbox import Outbox
from understudy.engine.sections import Sections
from understudy.engine.serving import Serving
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
    parts = (mailbox, Handlers(process), run, birth, config, halt, sections, answers, burial, office.flush)
    if config.mailbox.concurrency == 1:
        return Serving(*parts)
    from understudy.engine.tasks import Tasks  # asyncio, which the others do without

    return Tasks(*parts, loop, bell)
