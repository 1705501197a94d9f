"""The constant of the error's bound, measured on real models, and accuracy by K."""
