"""A fleet in which everything goes wrong, by a seed: no sockets, no clock, no threads.

scenario.py   what a seed chooses: sizes, pace, and how likely each fault is
agenda.py     virtual time
network.py    loses, doubles, delays, truncates, flips bits; carries both ways
node.py       a client's process on its disk, which dies and forgets
home.py       the server's process on its disk, which dies between any two steps
forger.py     messages to the server that nobody honest sent
liar.py       asks to clients that the server did not send, or not to them
signing.py    keys, who signed what for whom, and what a client's guard must make of it
gremlins.py   what befalls machines and people from second to second
truth.py      what the honest clients computed, and what the ledger must therefore hold
secure.py     the same with secure sums: what was put under masks, and what was opened
ending.py     what must hold all along and at the end; invariant.py says that it does not
simulation.py the events of one run, and its calm end
table.py      what happened, over many seeds

.venv/bin/python -m tests.fleet.chaos --seeds 1000 --jobs 2 --out chaos.jsonl
"""
