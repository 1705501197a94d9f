"""Accuracy with hostile clients, by attack and rule."""
