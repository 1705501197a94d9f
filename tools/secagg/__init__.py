"""Secure sums beside Flower's: `python -m tools.secagg.against_flower`, with flwr installed."""
