"""The table and the JSON file."""

import os
import platform
import time
from collections.abc import Mapping
from typing import Any

from benchmarks.harness import Row, Target, Unit

HEAD = ("figure", "understudy", "floor", "ratio", "peers", "target", "reached")


def number(value: float | None, unit: Unit) -> str:
    """A value with its unit, three figures."""
    if value is None:
        return "failed"
    if unit not in {"laps/s", "events/s", "messages/s", "tasks/s"}:
        return f"{value:,.0f} {unit}" if value >= 1000 else f"{value:.3g} {unit}"
    return f"{value / 1e6:.3g} M/s" if value >= 1e6 else f"{value / 1e3:.3g} k/s"


def judged(row: Row, target: Target) -> float | None:
    """The value that a target is about: a ratio or the figure itself."""
    return row.ratio(target.floor) if target.floor else row.value(row.figure.ours.label)


def reached(row: Row, target: Target) -> bool | None:
    """None where it could not be measured."""
    value = judged(row, target)
    return None if value is None else target.holds(value)


def wording(row: Row, target: Target) -> str:
    """A target as the table prints it."""
    sign = "<=" if target.sense == "at most" else ">="
    if not target.floor:
        return f"{sign} {number(target.bound, row.figure.unit)}"
    return f"{sign} {target.bound:g} x {'floor' if len(row.figure.floors) == 1 else target.floor}"


def lines(row: Row) -> list[tuple[str, ...]]:
    """A row's cells: one line a floor, one a target, one a peer, as many as it takes."""
    figure, unit = row.figure, row.figure.unit
    ours = number(row.value(figure.ours.label), unit)
    floors = [(f"{number(row.value(job.label), unit)} ({job.label})", row.ratio(job.label)) for job in figure.floors]
    peers = [f"{number(row.value(job.label), unit)} ({job.label})" for job in (*figure.peers, *figure.guests)]
    verdict = {True: "yes", False: "NO", None: "failed"}
    targets = [(wording(row, target), verdict[reached(row, target)]) for target in figure.targets]
    table: list[tuple[str, ...]] = []
    for index in range(max(1, len(floors), len(peers), len(targets))):
        floor, ratio = floors[index] if index < len(floors) else ("", None)
        target, word = targets[index] if index < len(targets) else ("", "")
        table.append(
            (
                figure.title if index == 0 else "",
                ours if index == 0 else "",
                floor,
                f"{ratio:.2f}" if ratio is not None else "",
                peers[index] if index < len(peers) else "",
                target,
                word,
            )
        )
    return table


def table(rows: list[Row], missing: Mapping[str, str]) -> str:
    """Plain text, aligned; below it what failed, with the error, and which peers were not there, with the reason."""
    body = [HEAD, *(line for row in rows for line in lines(row))]
    widths = [max(len(line[column]) for line in body) for column in range(len(HEAD))]
    text = ["  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in body]
    text.insert(1, "  ".join("-" * width for width in widths))
    failures = [f"FAILED {row.figure.name}, {label}: {error}" for row in rows for label, error in row.errors.items()]
    absent = [f"MISSING {name}: {reason}" for name, reason in missing.items()]
    return "\n".join([*text, *failures, *absent])


def machine() -> dict[str, Any]:
    """What the figures depend on and do not say."""
    return {
        "cores": os.cpu_count(),
        "python": platform.python_version(),
        "kernel": platform.release(),
        "machine": platform.machine(),
        "load": os.getloadavg()[0],
    }


def document(rows: list[Row], rounds: int, missing: Mapping[str, str], *, quick: bool) -> dict[str, Any]:
    """Everything, for `results.json`: each round's value, medians, verdicts, errors."""
    return {
        "date": time.strftime("%Y-%m-%dT%H:%M:%S%z"),
        "machine": machine(),
        "rounds": rounds,
        "quick": quick,
        "missing": dict(missing),
        "figures": {row.figure.name: _entry(row) for row in rows},
    }


def _entry(row: Row) -> dict[str, Any]:
    figure = row.figure

    def told(label: str) -> dict[str, Any]:
        outcome = row.outcomes[label]
        failure = {"error": outcome.error, "trace": outcome.trace} if outcome.error else {}
        return {"median": outcome.median, "rounds": outcome.values, **failure}

    return {
        "title": figure.title,
        "unit": figure.unit,
        "understudy": told(figure.ours.label),
        "floors": {job.label: {**told(job.label), "ratio": row.ratio(job.label)} for job in figure.floors},
        "peers": {job.label: told(job.label) for job in (*figure.peers, *figure.guests)},
        "targets": [
            {"target": wording(row, target), "value": judged(row, target), "reached": reached(row, target)}
            for target in figure.targets
        ],
    }
