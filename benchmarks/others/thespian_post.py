"""Thespian: messages to actors; what is asked comes in an envelope, for nothing else says that an answer is wanted."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from benchmarks.correspondence import PATIENCE, Handling, Shape, timed
from benchmarks.others import thespian as base

from thespian.actors import Actor, ActorExitRequest  # isort: skip  # its environment is set by the import above


@dataclass
class Meet:
    """Pass on to that one; the board to stamp."""

    following: object
    board: str


@dataclass
class Asked:
    """To be answered."""

    message: Any


class Receiver(Actor):
    """Handles messages."""

    def __init__(self) -> None:
        super().__init__()
        self.handling = Handling()

    def receiveMessage(self, message: Any, sender: object) -> None:  # noqa: N802 - thespian's name
        """Those of the benchmarks, and what goes around them."""
        if isinstance(message, Asked):
            self.send(sender, self.handling.handle(message.message))
        elif isinstance(message, Meet):
            self.handling.board = message.board
            if message.following is not None:
                self.handling.pass_on = lambda passed: self.send(message.following, passed)
            self.send(sender, "met")
        elif not isinstance(message, ActorExitRequest):
            self.handling.handle(message)


class Post(base.Thespian):
    """An actor system of its own."""

    def begin(self, count: int, shape: Shape, board: str) -> None:
        """Actors, each knows the next."""
        self._actors = [self._system.createActor(Receiver) for _ in range(count)]
        for number, actor in enumerate(self._actors):
            following = (number + 1) % count
            onward = self._actors[following] if shape == "ring" or (shape == "chain" and following) else None
            self._ask_one(actor, Meet(onward, board))
        self._heads = self._actors[:1] if shape == "chain" else self._actors

    def tell(self, message: Any, times: int) -> None:
        """Told."""
        tell, heads = self._system.tell, self._heads
        for _ in range(times):
            for head in heads:
                tell(head, message)

    def ask(self, message: Any, times: int) -> list[float]:
        """Asked."""
        return timed(lambda message: self._ask_one(self._actors[0], Asked(message)), message, times)

    def ask_at_once(self, message: Any, askers: int, times: int) -> float:
        """Its system is for one thread."""
        raise NotImplementedError

    def _ask_one(self, actor: object, message: Any) -> Any:
        answer = self._system.ask(actor, message, timedelta(seconds=PATIENCE))
        if answer is None:
            raise TimeoutError("no answer")
        return answer
