"""Accuracy against the bits of an uploaded integer."""
