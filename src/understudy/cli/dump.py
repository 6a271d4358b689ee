"""`understudy dump`: where every thread of an actor stands."""

from __future__ import annotations

from understudy.cli.choosing import remote
from understudy.cli.formats import shown
from understudy.cli.names import tell_unmatched
from understudy.cli.options import ONLY, Json, Names
from understudy.cli.voice import Voice, as_json
from understudy.cli.where import Where


def dump(names: Names = None, where: Where = ONLY, json: Json = False) -> None:
    """Show the stacks of all threads of actors, also of one that holds its interpreter; they go on undisturbed."""
    patterns = names or ["*"]
    with remote(where) as far:
        stacks = far.stacks(patterns)
    tell_unmatched("dump", patterns if names else [], stacks)
    if json:
        as_json([{"name": name, "stacks": text} for name, text in stacks.items()])
        return
    voice = Voice()
    for number, (name, text) in enumerate(stacks.items()):
        voice.line([("\n" if number else "", ""), (name, "bold")])
        voice.line([(shown(text).rstrip() or "(no process)", "")])
