"""A client: it runs the model forward on its own data, and nothing else."""

from baffle.flower import client_app
from digits.task import make_data, make_model

app = client_app(make_model, make_data)
