"""Random valid asks and answers."""

from hypothesis import strategies as st

from baffle.protocol.exchange import (
    REASONS,
    Ask,
    Evaluation,
    Holding,
    Holds,
    Reported,
    SnapshotHeader,
    TailRow,
    Trouble,
)
from baffle.protocol.exchange.answer import MAX_LOSS

u32 = st.integers(0, 2**32 - 1)
known = st.integers(0, 2**32 - 2)  # the last number stands for none
some = st.binary(max_size=60)
runs, tags, seals = (st.binary(min_size=n, max_size=n) for n in (16, 16, 8))
digests = st.binary(min_size=32, max_size=32)
holdings = st.none() | st.builds(Holding, known, digests)


@st.composite
def headers(draw):
    chunks = draw(st.integers(1, 2**16))
    return SnapshotHeader(draw(known), draw(st.integers(chunks, 2**40)), draw(digests), chunks)


@st.composite
def evaluations(draw):
    examples = draw(st.integers(1, 2**32 - 1))
    right = draw(st.none() | st.integers(0, min(examples, 2**32 - 2)))
    return Evaluation(examples, right, draw(st.integers(-MAX_LOSS, MAX_LOSS)))


asks = st.builds(
    Ask,
    runs,
    u32,
    st.none() | some,
    st.none() | headers(),
    st.lists(st.builds(TailRow, some, some), max_size=4).map(tuple),
    st.none() | some,
    st.booleans(),
)
answers = st.one_of(
    st.builds(Reported, some, st.none() | evaluations(), seals),
    st.builds(Holds, tags, st.none() | known, holdings, u32, st.none() | evaluations()),
    st.builds(Trouble, st.sampled_from(REASONS), st.text(max_size=100), holdings),
)
