"""What a fleet costs: figures for docs/fleet.md, each measured by a module of its own.

    python -m tools.fleet.figures.late_join     rounds or a state, for clients that were away
    python -m tools.fleet.figures.scale         seconds and memory with many clients
    python -m tools.fleet.figures.bytes         payload of a client a round, by part
    python -m tools.fleet.figures.page          put them into the page; --check only compares

Each writes benchmarks/fleet_<name>.json; both sides of a comparison are measured in the same run.
"""
