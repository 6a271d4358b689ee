"""`python -m benchmarks [names…] [--rounds N] [--quick] [--peers]`: the table on stdout, all values in a JSON file.

Exit code 0 when every row was measured (a missed target is told, not punished), 1 when one failed, 2 on bad options.
With --peers other packages are measured beside us; one that is missing or fails is told, and changes no exit code.
"""

import argparse
import fnmatch
import json
import sys
from pathlib import Path

from benchmarks import (
    births,
    crashing,
    far,
    health,
    idle,
    laps,
    memory,
    messages,
    pools,
    regrouping,
    report,
    steering,
    stopping,
    watching,
)
from benchmarks.harness import ROOT, Figure, Row, adopt, measure
from benchmarks.others import environment, roster

FIGURES: tuple[Figure, ...] = (
    *laps.FIGURES,
    *births.FIGURES,
    *regrouping.FIGURES,
    *stopping.FIGURES,
    *memory.FIGURES,
    *idle.FIGURES,
    *crashing.FIGURES,
    *health.FIGURES,
    *watching.FIGURES,
    *far.FIGURES,
    *steering.FIGURES,
    *messages.FIGURES,
    *pools.FIGURES,
)


def positive(text: str) -> int:
    """A whole number of at least 1."""
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"at least 1 is needed, not {value}")
    return value


def tell(text: str) -> None:
    """Progress, apart from the table."""
    print(text, file=sys.stderr, flush=True)


def chosen(patterns: list[str], parser: argparse.ArgumentParser) -> list[Figure]:
    """Figures by name or glob, in their own order; all of them without a pattern."""
    known = [figure.name for figure in FIGURES]
    for pattern in patterns:
        if not fnmatch.filter(known, pattern):
            parser.error(f"no figure {pattern!r}; there are {', '.join(known)}")
    return [
        figure
        for figure in FIGURES
        if not patterns or any(fnmatch.fnmatchcase(figure.name, pattern) for pattern in patterns)
    ]


def main() -> int:
    """Measure, print, write; the exit code."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description="figures beside their floors and peers")
    parser.add_argument("names", nargs="*", help=f"names or globs of {', '.join(figure.name for figure in FIGURES)}")
    parser.add_argument("--rounds", type=positive, help="interleaved rounds (default 5; 1 with --quick)")
    parser.add_argument("--quick", action="store_true", help="fewer samples, in about a minute")
    parser.add_argument("--peers", action="store_true", help="beside other packages, in an environment of their own")
    parser.add_argument("--output", type=Path, default=ROOT / "benchmarks" / "results.json", help="the JSON file")
    options = parser.parse_args()
    figures = chosen(options.names, parser)
    rounds: int = options.rounds or (1 if options.quick else 5)

    missing: dict[str, str] = {}
    if options.peers:
        missing = environment.missing()
        figures = [roster.joined(figure, missing) for figure in figures]
    if options.quick:
        figures = [figure.shortened() for figure in figures]
    adopt()
    rows: list[Row] = []
    for figure in figures:
        rows.append(measure(figure, rounds, tell))
        # Each time: a run that is cut short has measured something, too.
        document = report.document(rows, rounds, missing, quick=options.quick)
        options.output.write_text(json.dumps(document, indent=2) + "\n")
    print(report.table(rows, missing))
    return 0 if all(row.whole for row in rows) else 1


if __name__ == "__main__":
    sys.exit(main())
