"""Hostile bytes: generated inputs to every decoder, and what each of them must keep to.

    python -m tools.fuzz --decoder all --inputs 1000000 --key 0 --jobs 2 --out fuzz.jsonl

Of every input: only the documented error is raised; what is accepted is the one encoding of what
it decodes to; what a hash protects is not accepted changed; memory stays within a multiple of the
input's length; and nothing takes longer than 50 ms.
"""
