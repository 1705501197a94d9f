"""Drivers: the loops, clocks and sockets around the state machines."""
