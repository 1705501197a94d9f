import pytest

from tests.fleet.secure_world import Fleet


@pytest.fixture
def made(tmp_path):
    fleets = []

    def make(**named):
        fleets.append(Fleet(tmp_path / str(len(fleets)), **named))
        return fleets[-1]

    yield make
    for fleet in fleets:
        fleet.home.ledger.close()
