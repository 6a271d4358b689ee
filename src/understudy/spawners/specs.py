"""A spec on its way from an actor to the router: one frame, so that one tag covers all of it.

The first 8 bytes are the length of a msgpack array, which follows, and after that comes the pickle.
"""

from __future__ import annotations

from typing import Any

from understudy.config import ProcessConfig
from understudy.errors import ConfigError, ProtocolError
from understudy.lifecycle.programs import Program
from understudy.lifecycle.spec import Spec
from understudy.wire.codec import pack, unpack

_MAX_HEAD = 64 << 20
_LENGTH = 8
_TAKES = frozenset({"always", "perhaps", "never", "program"})


def packed(spec: Spec) -> bytes:
    """The frame. Raises ConfigError for a wait, which is code for the program's own process."""
    if spec.program is not None and spec.program.wait is not None:
        raise ConfigError(f"wait={spec.program.awaits}: it is looked for in the parent; an actor cannot bring one")
    head = pack(
        [
            spec.label,
            spec.command,
            spec.place,
            spec.levels,
            spec.config.to_dict(),
            sorted(spec.hooks),
            spec.host,
            spec.terminal,
            list(spec.modules),
            spec.takes,
            None if spec.program is None else sorted(spec.program.ok_codes),
        ]
    )
    return b"".join((len(head).to_bytes(_LENGTH, "little"), head, spec.blob))


def opened(frame: Any) -> Spec:
    """The spec of a frame whose tag was right; its pickle stays closed. Raises ProtocolError, ConfigError."""
    view = memoryview(frame)
    end = _LENGTH + int.from_bytes(view[:_LENGTH], "little")
    if end > len(view):
        raise ProtocolError("a spec is shorter than it says")
    values = unpack(view[_LENGTH:end], _MAX_HEAD)
    try:
        label, command, place, levels, config, hooks, host, terminal, modules, takes, ok_codes = values
        texts = [label, command, host, takes, *hooks, *modules, *([] if terminal is None else [terminal])]
    except (TypeError, ValueError):
        raise ProtocolError("a spec is an array of eleven values") from None
    codes = ok_codes is None or (isinstance(ok_codes, list) and all(type(code) is int for code in ok_codes))
    plain = all(type(text) is str for text in texts) and type(place) is type(levels) is bytes
    if not (plain and codes and takes in _TAKES):
        raise ProtocolError("the values of a spec are of the wrong types")
    return Spec(
        label=label,
        command=command,
        blob=bytes(view[end:]),
        place=place,
        levels=levels,
        config=ProcessConfig.from_dict(config),
        hooks=frozenset(hooks),
        host=host,
        terminal=terminal,
        modules=tuple(modules),
        takes=takes,
        program=None if ok_codes is None else Program(frozenset(ok_codes)),
    )
