"""How one actor stands in a table."""

from __future__ import annotations

from understudy.cli import formats, styles
from understudy.cli.sheet import Column
from understudy.status import ActorInfo

_INDENT = "  "


def in_tree(info: ActorInfo) -> str:
    """Children stand to the right of who spawned them."""
    return _INDENT * (info.depth - 1) + info.name


COLUMNS: tuple[Column[ActorInfo], ...] = (
    Column("name", in_tree, 99, style=lambda info: styles.of_actor(info.name)),
    Column("pid", lambda info: formats.UNKNOWN if info.pid is None else str(info.pid), 5, right=True),
    Column("status", lambda info: info.status_text, 98, style=lambda info: styles.STATUS.get(info.status, "")),
    Column("health", lambda info: str(info.health), 8, style=lambda info: styles.HEALTH.get(info.health, "dim")),
    Column("inc", lambda info: str(info.incarnation), 10, right=True),
    Column("left", lambda info: str(info.lives_left), 4, right=True),
    Column("lap", lambda info: str(info.lap), 7, right=True),
    Column("section", lambda info: info.section or formats.UNKNOWN, 3),
    Column("progress", lambda info: formats.percent(info.progress), 6, right=True),
    Column("cpu", lambda info: formats.percent(info.cpu_percent), 12, right=True),
    Column("memory", lambda info: formats.mib(info.memory_mb), 11, right=True),
    Column("runtime", lambda info: formats.span(info.runtime), 9, right=True),
    Column("note", lambda info: formats.first_line(info.note) or formats.UNKNOWN, 1),
)
