"""The command line: `understudy VERB …`, also `python -m understudy VERB …`.

app       the command, its options, and its verbs
run       run: one actor in the foreground
finding   targets by their names on the command line, and what they are made with
values    NAME=VALUE, as arguments and as settings
screen    the live line of a terminal
ending    how a run ended, as text or as JSON
records   log records, a line each
presses   Ctrl-C and the signals that ask for the end
refusal   what cannot be run
"""

from understudy.cli.app import main as main

__all__ = ["main"]
