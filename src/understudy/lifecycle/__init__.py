"""Pure decisions: what becomes of an actor when something happens to it.

    spec         what is to be run, as opaque bytes, with its settings
    events       what can happen
    effects      what is to be done about it
    budget       lives, windows and backoff
    ladder       the rungs of a stop
    actor        one actor as a value
    settle       what the end of a process means
    transitions  the table: (actor, event) -> (actor, effects)
    standing     how an actor stands for who speaks to it, and how its process is to end
    story        each step as a line that a person can read
    names        what may be the name of an actor
    registry     all actors by uid and by name, and the story of each

Nothing here reads a clock, draws a number, opens a socket or sends a signal: time and chance are arguments.
"""
