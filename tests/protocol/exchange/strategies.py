"""Random valid asks and answers."""

from hypothesis import strategies as st

from baffle.protocol.exchange import (
    REASONS,
    Ask,
    Evaluation,
    Holding,
    Holds,
    Masked,
    Reported,
    SnapshotHeader,
    TailRow,
    Trouble,
)
from baffle.protocol.exchange.answer import MAX_LOSS

some = st.binary(max_size=60)


def message(kind):
    """Return bytes that begin as a message of secure sums does."""
    return some.map(lambda rest: bytes((kind,)) + rest)


def together(*kinds):
    return st.tuples(*map(message, kinds))


u32 = st.integers(0, 2**32 - 1)
known = st.integers(0, 2**32 - 2)  # the last number stands for none
runs, tags, seals = (st.binary(min_size=n, max_size=n) for n in (16, 16, 8))
digests = st.binary(min_size=32, max_size=32)
adverts = st.none() | st.binary(min_size=170, max_size=170)
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


NO_GROUP, NO_SUMS = st.none(), st.just(())


def asked(plan, group=NO_GROUP, sums=NO_SUMS):
    return st.builds(
        Ask,
        runs,
        u32,
        st.none() | some,
        st.none() | headers(),
        st.lists(st.builds(TailRow, some, some), max_size=4).map(tuple),
        plan,
        st.booleans(),
        group,
        sums,
    )


asks = st.one_of(
    asked(st.none() | some),
    asked(some, st.integers(0, 2**16 - 1)),
    asked(some, sums=together(0xA3)),
    asked(st.none(), sums=together(0xA1) | together(0xA5) | together(0xA5, 0xA1)),
)
answers = st.one_of(
    st.builds(Reported, some, st.none() | evaluations(), seals),
    st.builds(Holds, tags, st.none() | known, holdings, u32, st.none() | evaluations(), adverts),
    st.builds(
        Masked,
        u32,
        u32,
        together(0xA4) | together(0xA2) | together(0xA6) | together(0xA6, 0xA2),
        st.none() | st.sampled_from(REASONS),
        st.none() | evaluations(),
        seals,
    ),
    st.builds(Trouble, st.sampled_from(REASONS), st.text(max_size=100), holdings),
)
