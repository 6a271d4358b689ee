"""Keys of a terminal: what its bytes mean, and the mode in which it gives each at once."""

from __future__ import annotations

import contextlib
import os
import re
import termios
from typing import Any

_SEQUENCES = {
    b"\x1b[A": "up", b"\x1bOA": "up", b"\x1b[B": "down", b"\x1bOB": "down",
    b"\x1b[5~": "page up", b"\x1b[6~": "page down",
    b"\x1b[H": "home", b"\x1bOH": "home", b"\x1b[1~": "home", b"\x1b[F": "end", b"\x1bOF": "end", b"\x1b[4~": "end",
}  # fmt: skip
_SINGLE = {b"\r": "enter", b"\n": "enter", b"\x7f": "backspace", b"\x1b": "escape"}
_WHOLE = re.compile(
    rb"\x1b(?:O[ -~]|\[[0-?]*[ -/]*[@-~])|[\xc2-\xdf][\x80-\xbf]|[\xe0-\xef][\x80-\xbf]{2}|[\xf0-\xf4][\x80-\xbf]{3}"
)
"""Keys of more than one byte: escape sequences, and characters in UTF-8."""
_BEGUN = re.compile(rb"\x1b(?:O|\[[0-?]*[ -/]*)?|[\xc2-\xdf]|[\xe0-\xef][\x80-\xbf]?|[\xf0-\xf4][\x80-\xbf]{0,2}")


class Decoder:
    """Bytes to names of keys; what they mean can depend on what follows."""

    def __init__(self) -> None:
        self._rest = b""

    @property
    def is_waiting(self) -> bool:
        """Whether more bytes may follow that belong to what came."""
        return bool(self._rest)

    def feed(self, data: bytes) -> list[str]:
        """The keys that are certain: a character stands for itself, others have names; unknown ones are left out."""
        self._rest += data
        keys = []
        while self._rest:
            whole = _WHOLE.match(self._rest)
            if whole is None and _BEGUN.fullmatch(self._rest):
                break
            end = 1 if whole is None else whole.end()
            one, self._rest = self._rest[:end], self._rest[end:]
            keys += _named(one)
        return keys

    def give_up(self) -> list[str]:
        """Nothing follows: an escape was the key itself, and what else was begun none."""
        rest, self._rest = self._rest, b""
        return _named(rest) if rest in _SINGLE else []


def _named(one: bytes) -> list[str]:
    if one in _SEQUENCES or one in _SINGLE:
        return [_SEQUENCES.get(one) or _SINGLE[one]]
    text = one.decode(errors="replace")
    return [text] if len(text) == 1 and text.isprintable() else []


class Keyboard:
    """A terminal that gives each key at once and shows none; Ctrl-C stays what it is. `close` gives it back."""

    def __init__(self, fd: int) -> None:
        self.fd = fd
        self._before: list[Any] = termios.tcgetattr(fd)
        mode = termios.tcgetattr(fd)
        mode[0] &= ~termios.IXON
        mode[3] &= ~(termios.ICANON | termios.ECHO)
        mode[6][termios.VMIN], mode[6][termios.VTIME] = 1, 0
        # Put aside by Ctrl-Z it would leave the terminal as it is: so these keys do nothing.
        for key in (termios.VSUSP, termios.VQUIT):
            mode[6][key] = bytes([os.fpathconf(fd, "PC_VDISABLE")])
        termios.tcsetattr(fd, termios.TCSADRAIN, mode)

    def read(self) -> bytes:
        """What was typed; nothing at the end of the terminal."""
        try:
            return os.read(self.fd, 1024)
        except OSError:  # it hung up
            return b""

    def close(self) -> None:
        """As it was."""
        with contextlib.suppress(termios.error):  # it hung up
            termios.tcsetattr(self.fd, termios.TCSAFLUSH, self._before)
