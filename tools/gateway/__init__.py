"""Simulated devices against a gateway on loopback."""
