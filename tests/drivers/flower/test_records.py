"""Records: the parts come back, and nothing else is taken."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from baffle.drivers.flower import records
from baffle.errors import DecodeError

pytestmark = pytest.mark.flower

NONCE = bytes(range(16))


@given(st.lists(st.binary(max_size=40), min_size=1, max_size=12), st.sampled_from([b"", NONCE]))
def test_parts_come_back(parts, nonce):
    assert records.from_record(records.to_record(parts, nonce=nonce)) == parts


@given(st.binary(max_size=50), st.integers(1, 20))
def test_split_is_undone_by_joining(data, size):
    chunks = records.split(data, size)
    assert b"".join(chunks) == data
    assert all(0 < len(chunk) <= size for chunk in chunks)


@given(st.lists(st.binary(max_size=40), min_size=1, max_size=6), st.integers(1, 12))
def test_a_long_part_goes_on_in_further_records(parts, size):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(records, "MAX_PART", size)
        patch.setattr(records.split, "__defaults__", (size,))
        made = records.to_record(parts, nonce=NONCE)
        assert len(made) == sum(max(1, -(-len(part) // size)) for part in parts)
        assert records.from_record(made) == parts


@pytest.mark.parametrize(
    ("first", "second"), [(b"short", b"more"), (b"full!!", b"")], ids=["not full", "with nothing"]
)
def test_only_a_full_record_goes_on(first, second, monkeypatch):
    from flwr.app import ConfigRecord, RecordDict

    monkeypatch.setattr(records, "MAX_PART", 6)
    made = RecordDict({"0": ConfigRecord({"b": first}), "1": ConfigRecord({"b": second, "c": 1})})
    with pytest.raises(DecodeError, match="goes on"):
        records.from_record(made)


def test_equal_chunks_are_one_object():
    one, two = (records.to_record([text, b"chunk" * 9]) for text in (b"to one", b"to two"))
    assert one["1"].object_id == two["1"].object_id
    assert one["0"].object_id != two["0"].object_id


def test_a_nonce_makes_the_same_message_another_object():
    with_nonce = records.to_record([b"plan"], nonce=NONCE)
    assert with_nonce.object_id != records.to_record([b"plan"], nonce=bytes(16)).object_id


@pytest.mark.parametrize(
    "parts",
    [[], [b""] * (records.MAX_PARTS + 1)],
    ids=["none", "too many"],
)
def test_what_may_not_be_sent(parts):
    with pytest.raises(ValueError, match="records"):
        records.to_record(parts)


def test_a_nonce_has_its_length():
    with pytest.raises(ValueError, match="nonce"):
        records.to_record([b"a"], nonce=b"short")


def hostile() -> dict[str, object]:
    from flwr.app import Array, ArrayRecord, ConfigRecord, MetricRecord, RecordDict

    def made(**names: object) -> RecordDict:
        return RecordDict({name.strip("_"): ConfigRecord(value) for name, value in names.items()})

    return {
        "no content": None,
        "not records": {"0": {"b": b"a"}},
        "empty": RecordDict(),
        "another name": made(plan={"b": b"a"}),
        "a name like a number": RecordDict({"00": ConfigRecord({"b": b"a"})}),
        "a gap": made(_0={"b": b"a"}, _2={"b": b"a"}),
        "a surplus record": made(_0={"b": b"a"}, weights={"b": b"a"}),
        "no bytes": made(_0={}),
        "a surplus key": made(_0={"b": b"a", "c": b"a"}),
        "text": made(_0={"b": "a"}),
        "a list": made(_0={"b": [b"a"]}),
        "a nonce of another length": made(_0={"b": b"a", "n": b"a"}),
        "a nonce that is a number": made(_0={"b": b"a", "n": 7}),
        "a nonce in a chunk": made(_0={"b": b"a"}, _1={"b": b"a", "n": NONCE}),
        "a long part": made(_0={"b": bytes(records.MAX_PART + 1)}),
        "metrics": RecordDict({"0": MetricRecord({"b": 1})}),
        "arrays": RecordDict(
            {"0": ArrayRecord({"b": Array("uint8", (1,), "numpy.ndarray", b"a")})}
        ),
    }


def test_anything_else_is_refused():
    taken = {name for name, record in hostile().items() if not refused(record)}
    assert taken == set()


def refused(record):
    try:
        records.from_record(record)
    except DecodeError:
        return True
    return False


def test_bounds_of_a_whole_message():
    record = records.to_record([b"12345", b"678"])
    assert records.from_record(record, max_total=8, max_parts=2) == [b"12345", b"678"]
    with pytest.raises(DecodeError, match="at most 7 bytes"):
        records.from_record(record, max_total=7)
    with pytest.raises(DecodeError, match="1 to 1 records"):
        records.from_record(record, max_parts=1)


@settings(max_examples=200)
@given(
    st.dictionaries(
        st.sampled_from(["0", "1", "b", ""]),
        st.dictionaries(
            st.sampled_from(["b", "n", "x"]),
            st.one_of(st.binary(max_size=20), st.integers(0, 9), st.text(max_size=3)),
        ),
        max_size=3,
    )
)
def test_only_the_one_form_is_taken(fields):
    from flwr.app import ConfigRecord, RecordDict

    record = RecordDict({name: ConfigRecord(value) for name, value in fields.items()})
    try:
        parts = records.from_record(record)
    except DecodeError:
        return
    nonce = fields["0"].get("n", b"")
    assert records.to_record(parts, nonce=nonce) == record


def test_a_simulated_clients_wallet_lies_in_its_context():
    from flwr.app import RecordDict

    from baffle.drivers.flower.simulated import RecordStore
    from baffle.fleet import Kept, Replica
    from tests.fleet.world import SIGNATURE, first_state, genesis, settings_of

    state, spec = RecordDict(), genesis(settings_of(), SIGNATURE, bytes(32))
    store = RecordStore(state)
    store.begin(spec)
    assert store.wallet(spec.run) is None
    store.keep_wallet(spec.run, b"wallet")
    store.save(Replica(spec, first_state(settings_of()), b""), Kept())
    assert RecordStore(state).wallet(spec.run) == b"wallet"
    assert RecordStore(state).wallet(bytes(16)) is None
    RecordStore(state).keep_wallet(bytes(16), b"another")
    assert RecordStore(state).wallet(spec.run) is None
