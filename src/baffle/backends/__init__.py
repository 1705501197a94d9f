"""Backends: a model and examples to losses at probe points."""
