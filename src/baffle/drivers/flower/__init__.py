"""Flower as the network: the only package that knows its messages and its Grid."""
