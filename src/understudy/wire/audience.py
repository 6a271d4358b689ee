"""Who follows the status stream, as far as the socket tells: the first and the last subscription to each topic."""

from __future__ import annotations

FIGURES = b"|figures"
"""The topic to which nothing is ever sent: who subscribes to it asks for figures."""
LONGEST_TOPIC = 256
MOST_TOPICS = 1_000
"""Topics that are remembered; of further ones only the number is."""
_CAME, _LEFT = b"\x01", b"\x00"


class Audience:
    """Costs no more than so much, whatever is subscribed to."""

    def __init__(self) -> None:
        self._topics: set[bytes] = set()
        self._others = 0
        self.wants_figures = False

    @property
    def is_there(self) -> bool:
        """Whether anybody follows anything."""
        return bool(self._topics or self._others)

    def hear(self, frame: bytes) -> bool:
        """What the socket says; False for what is no subscription, or none that anybody here could mean."""
        word, about = frame[:1], frame[1:]
        came = word == _CAME
        if not (came or word == _LEFT) or len(about) > LONGEST_TOPIC:
            return False
        if about == FIGURES:
            self.wants_figures = came
        elif about in self._topics:
            if not came:
                self._topics.remove(about)
        elif not came:
            self._others = max(0, self._others - 1)
        elif len(self._topics) < MOST_TOPICS:
            self._topics.add(about)
        else:
            self._others += 1
        return True
