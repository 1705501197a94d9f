"""The server: it needs no data; with a test set it says how well the model does."""

from baffle.flower import server_app
from digits.task import make_model, test_data

app = server_app(make_model=make_model, test=test_data)
