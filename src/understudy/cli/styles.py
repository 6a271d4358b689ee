"""Which colour means what, the same everywhere; the words are rich's."""

from __future__ import annotations

from understudy.status import Health, Status

STATUS = {
    Status.STARTING: "cyan",
    Status.RUNNING: "bold green",
    Status.STOPPING: "bold yellow",
    Status.RESTARTING: "bold yellow",
    Status.FINISHED: "green",
    Status.CRASHED: "bold red",
    Status.KILLED: "bold red",
}
HEALTH = {
    Health.HEALTHY: "green",
    Health.UNRESPONSIVE: "bold red",
    Health.ZOMBIE: "bold red",
    Health.COMPLETED: "green",
    Health.FAILED: "red",
}
OUTCOME = {"asked": "green", "already": "yellow", "ended": "dim"}
LEVEL = {"WARNING": "yellow", "ERROR": "bold red", "CRITICAL": "bold red"}
ACTORS = ("cyan", "green", "magenta", "yellow", "blue", "bright_cyan", "bright_green", "bright_magenta", "bright_blue")


_STATUS_BY_WORD: dict[str, str] = {str(status): style for status, style in STATUS.items()}


def of_status(word: str | None) -> str:
    """The style of a status by its word; none for a word that is no status."""
    return _STATUS_BY_WORD.get(word or "", "")


def of_actor(name: str) -> str:
    """The same colour for the same name, in every run."""
    return ACTORS[sum(name.encode(errors="replace")) % len(ACTORS)]
