"""`python -OO -m baffle.drivers.device`: what `baffle device` becomes; see start.py."""

from __future__ import annotations

import sys

from baffle.drivers.device.command import main

sys.exit(main(sys.argv[1:]))
