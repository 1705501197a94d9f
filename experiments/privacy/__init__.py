"""Accuracy against epsilon, by unit of privacy and number of participants."""
