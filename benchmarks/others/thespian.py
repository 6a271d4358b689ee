"""Thespian: one actor that creates the others, hears of their ends and replaces those that nobody stopped."""

import os
import socket
import tempfile
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from benchmarks.others.endings import Endings
from benchmarks.stamps import stamp

# Read once, at import. Its admin may still write there while the folder goes.
FOLDER = tempfile.TemporaryDirectory(prefix="thespian-", ignore_cleanup_errors=True)
os.environ["THESPLOG_FILE"] = str(Path(FOLDER.name) / "log")

from thespian.actors import Actor, ActorExitRequest, ActorSystem, ChildActorExited  # noqa: E402

PATIENCE = 60.0  # seconds


@dataclass
class Play:
    """To the boss: that many new ones. To one of them: begin."""

    brief: bool
    board: str
    count: int = 1


@dataclass
class Here:
    """To the boss: one has stamped, in this process."""

    pid: int


class Settle:
    """To the boss: answer with the processes of all once all have stamped."""


class Wait:
    """To the boss: answer when all have ended."""


class Stop(Wait):
    """To the boss: the same, asking all to exit."""


class Player(Actor):
    """Stamps; a brief one then exits, an idle one exists."""

    def receiveMessage(self, message: object, sender: object) -> None:  # noqa: N802 - thespian's name
        """Only a Play is for it."""
        if isinstance(message, Play):
            stamp(message.board)
            if message.brief:
                self.send(self.myAddress, ActorExitRequest())
            else:
                self.send(sender, Here(os.getpid()))


class Boss(Actor):
    """Supervises."""

    def __init__(self) -> None:
        super().__init__()
        self.children: list[Child] = []  # an address learns where it leads: equal it stays, its hash does not
        self.stopping = False
        self.asked: tuple[object, Settle | Wait] | None = None

    def receiveMessage(self, message: object, sender: object) -> None:  # noqa: N802 - thespian's name
        """Orders from outside; news from its children and of their ends."""
        match message:
            case Play():
                self.stopping = False
                for _ in range(message.count):
                    self.create(message)
            case Here():
                self.child(sender).pid = message.pid
            case Settle() | Wait():
                self.asked = sender, message
                if isinstance(message, Stop):
                    self.stopping = True
                    for child in self.children:
                        self.send(child.address, ActorExitRequest())
            case ChildActorExited():
                gone = self.child(message.childAddress)
                self.children.remove(gone)
                if not (gone.play.brief or self.stopping):
                    self.create(gone.play)
        self.answer()

    def create(self, play: Play) -> None:
        """One more."""
        address = self.createActor(Player)
        self.children.append(Child(address, play))
        self.send(address, play)

    def child(self, address: object) -> "Child":
        """The one of that address."""
        return next(child for child in self.children if child.address == address)

    def answer(self) -> None:
        """If it is time to."""
        if self.asked:
            sender, question = self.asked
            pids = [child.pid for child in self.children]
            if all(pids) if isinstance(question, Settle) else not pids:
                self.asked = None
                self.send(sender, pids)


@dataclass(eq=False)
class Child:
    """What the boss knows of one."""

    address: object
    play: Play
    pid: int = 0


class Thespian:
    """An actor system of its own, with its admin in a process of its own; by queues, the fastest of its bases."""

    base = "multiprocQueueBase"

    def __init__(self) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        self._system = ActorSystem(self.base, {"Admin Port": port, "Convention Address.IPv4": ""}, transientUnique=True)
        self._boss = self._system.createActor(Boss)
        self._endings = Endings()

    def spawn_brief(self, board: str) -> None:
        """A message to the boss."""
        self._system.tell(self._boss, Play(brief=True, board=board))

    def spawn_idle(self, board: str, count: int = 1) -> None:
        """One message for all."""
        self._system.tell(self._boss, Play(brief=False, board=board, count=count))

    def settle(self) -> None:
        """All are known to the boss."""
        self._endings.watch(self._ask(Settle()))

    def replace(self, board: str) -> None:
        """Nothing: the boss does it."""

    def wait(self) -> None:
        """The boss has heard of all ends."""
        self._ask(Wait())

    def stop(self) -> None:
        """The boss has heard of all ends, and they have come."""
        self._ask(Stop())
        self._endings.wait(PATIENCE)

    def close(self) -> None:
        """Shut the system down."""
        self._endings.forget()
        self._system.shutdown()

    def _ask(self, question: Settle | Wait) -> list[int]:
        answer = self._system.ask(self._boss, question, timedelta(seconds=PATIENCE))
        if not isinstance(answer, list):
            raise TimeoutError(f"{type(question).__name__}: {answer!r} instead of an answer")
        return answer


class Tcp(Thespian):
    """The base that hears of a death by a signal; that of the queues looks for the dead now and then."""

    base = "multiprocTCPBase"
