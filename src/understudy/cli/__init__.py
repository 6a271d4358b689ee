"""The command line: `understudy VERB …`, also `python -m understudy VERB …`.

A verb is a module and a function in it, both of its name, imported when it is asked for:

run       one actor in the foreground
ps        the actors of a running system
top       the same, live, with keys
watch     every change, a line each
info      everything about one actor
stop      ask actors to end in order
kill      end them at once
restart   begin anew
shutdown  close a system
logs      what they say
dump      where their threads stand
systems   what runs here
keys      who may come in over a network

For all of them:

entry       where it begins
app         the command
bare        how it stays light
exits       exit codes, and how a verb ends early
options     arguments and options that several verbs have
completion  what a shell offers
presses     Ctrl-C and the signals that ask for the end

For those that look at running systems:

where     which system is meant
choosing  which it is, here or elsewhere, and how it is reached
names     names and globs
voice     standard output: colours, plain text, JSON
sheet     tables that fit; rows: an actor in one; portrait: an actor on a page; telling: an event as a line
formats   figures as people read them
styles    which colour means what
steering  outcomes of stop, kill, restart, shutdown
following until something has come about

For top:

board     its state: figures and keys in, lines and wishes out
sparks    sparklines
keyboard  keys of a terminal
glass     its screen
bell      what wakes the loop
hands     what it asks of the system, on threads of their own

For run:

finding   targets by their names on the command line, and what they are made with
values    NAME=VALUE, as arguments and as settings
screen    the live line of a terminal
ending    how a run ended, as text or as JSON
records   log records, a line each
refusal   what cannot be run
"""

from understudy.cli.entry import main as main

__all__ = ["main"]
