"""Measurements of speed and memory on this machine: what `baffle bench` shows."""
