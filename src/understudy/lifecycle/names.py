"""What may be the name of an actor: actors themselves look for others by it, and load nothing else of the registry."""

from __future__ import annotations

import re

from understudy.errors import ConfigError
from understudy.globs import LONGEST_NAME

_SEGMENT = r"[A-Za-z0-9][A-Za-z0-9._-]*"
_NAME = re.compile(rf"{_SEGMENT}(/{_SEGMENT})*")


def check_name(name: object) -> str:
    """The name, if it is one; raises ConfigError that says what a name is."""
    if not isinstance(name, str) or not _NAME.fullmatch(name) or len(name) > LONGEST_NAME:
        raise ConfigError(
            f"{name!r} is not a name: segments of letters, digits, '.', '_' and '-' that begin with a letter or digit, "
            "joined by '/', 128 characters in all"
        )
    return str.__str__(name)  # of a subclass, whose comparisons may be anybody's code, the text alone
