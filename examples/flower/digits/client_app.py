"""A client: it runs the model forward on its own data, and nothing else."""

from baffle.flower import client_app

# By name: the process that Flower starts for each message need not import torch then.
app = client_app("digits.task:make_model", "digits.task:make_data")
