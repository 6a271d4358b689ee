"""Messages of every kind, as hypothesis may draw them."""

from __future__ import annotations

from typing import Any, get_args

from hypothesis import strategies as st

from understudy.wire import messages
from understudy.wire.messages import ORDERS, REPORTS, Identity

KINDS = (*REPORTS, *ORDERS)

texts = st.text(max_size=20)
counts = st.integers(0, 2**63)
floats = st.floats(allow_nan=False)
plain: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | floats | texts | st.binary(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=8,
)
records = st.dictionaries(texts, plain, max_size=4)
tags = st.none() | st.binary(min_size=16, max_size=16)
opaque = st.lists(st.binary(max_size=50), max_size=4).map(tuple)


def one_of(annotated: Any) -> st.SearchStrategy[str]:
    """One of the words that a field allows."""
    return st.sampled_from(get_args(annotated)[1])


SAID: dict[type[Any], st.SearchStrategy[Any]] = {
    messages.Ready: st.builds(messages.Ready, counts, st.none() | texts),
    messages.Beat: st.builds(messages.Beat),
    messages.Heard: st.builds(messages.Heard, counts),
    messages.Progress: st.builds(messages.Progress, st.none() | floats | st.integers(0, 100), st.none() | texts),
    messages.Log: st.builds(messages.Log, records),
    messages.Meet: st.builds(messages.Meet, counts),
    messages.Seek: st.builds(messages.Seek, counts, texts),
    messages.Spawn: st.builds(
        messages.Spawn, counts, st.none() | texts, st.none() | counts, st.booleans(), tags, opaque
    ),
    messages.Steer: st.builds(
        messages.Steer,
        counts,
        one_of(messages.Steering),
        st.lists(counts | texts, max_size=4),
        st.none() | floats | counts,
        st.booleans(),
    ),
    messages.Blocked: st.builds(messages.Blocked, counts, counts),
    messages.Unblocked: st.builds(messages.Unblocked, counts),
    messages.Letter: st.builds(
        messages.Letter, counts, texts, one_of(messages.Way), texts, counts, counts, texts, counts, tags, opaque
    ),
    messages.Finishing: st.builds(messages.Finishing, texts, st.booleans()),
    messages.KillMe: st.builds(messages.KillMe),
    messages.Error: st.builds(
        messages.Error,
        one_of(messages.Section),
        counts,
        texts,
        st.none() | floats,
        texts,
        texts,
        texts,
        records,
        tags,
        opaque,
    ),
    messages.Noted: st.builds(messages.Noted, counts, counts),
    messages.Checkpoint: st.builds(messages.Checkpoint, counts, tags, opaque),
    messages.Result: st.builds(messages.Result, records, tags, opaque),
    messages.Rites: st.builds(
        messages.Rites, one_of(messages.Word), texts, texts, texts, records, st.none() | floats, tags, opaque
    ),
    messages.Bye: st.builds(messages.Bye, st.lists(texts, max_size=4)),
    messages.Orders: st.builds(
        messages.Orders, counts, one_of(messages.Stop), one_of(messages.Verdict), st.booleans(), counts
    ),
    messages.Fate: st.builds(
        messages.Fate,
        counts,
        texts,
        counts,
        counts,
        one_of(messages.Standing),
        counts,
        one_of(messages.OnFull),
        one_of(messages.Takes),
    ),
    messages.Sought: st.builds(
        messages.Sought, counts, st.lists(st.tuples(counts, texts).map(list), max_size=4), st.booleans(), texts
    ),
    messages.Answered: st.builds(messages.Answered, counts, records, st.booleans(), texts, texts),
    messages.Terminated: st.builds(messages.Terminated, counts, counts, records),
    messages.Still: st.builds(messages.Still, counts),
    messages.Cycle: st.builds(messages.Cycle, counts, st.lists(texts, max_size=4)),
}

any_message = st.one_of(*SAID.values())
identities = st.builds(Identity, texts, counts, counts, counts)
