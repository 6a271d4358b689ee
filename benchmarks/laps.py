"""Laps a second with three empty sections and every timeout armed."""

from benchmarks.harness import Figure, Job, Target

LAPS = {"laps": 300_000}
QUICK = {"laps": 100_000}

FIGURES = (
    Figure(
        name="laps",
        title="laps, three empty sections",
        unit="laps/s",
        ours=Job("understudy", "benchmarks.ours:laps", options=LAPS, quick=QUICK),
        floors=(
            Job("bare", "benchmarks.floors.laps:bare", options=LAPS, quick=QUICK),
            Job("stores", "benchmarks.floors.laps:stores", options=LAPS, quick=QUICK),
        ),
        targets=(Target("at least", 0.2, "bare"), Target("at least", 0.7, "stores")),
    ),
)
