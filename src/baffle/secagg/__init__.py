"""Sums of short integer vectors that nobody sees the parts of: masks, shares, and their messages.

In the manner of Bonawitz et al. 2017 (double masking) and Bell et al. 2020 (k-regular graph). A
client is three functions on a wallet, the server a generator of asks. docs/privacy.md has the
protocol message by message.
"""

from __future__ import annotations

from baffle.secagg.keys import Advert, Own, decode_advert, encode_advert
from baffle.secagg.lanes import Block, Lanes
from baffle.secagg.masking import mask
from baffle.secagg.outcome import Abandoned, Asks, SecureSum
from baffle.secagg.revealing import unmask
from baffle.secagg.server import secure_sum
from baffle.secagg.sharing import share
from baffle.secagg.spec import Parameters, SecureSpec, parameters
from baffle.secagg.wallet import Wallet, advert, least, members
from baffle.secagg.wire import Terms

__all__ = [
    "Abandoned",
    "Advert",
    "Asks",
    "Block",
    "Lanes",
    "Own",
    "Parameters",
    "SecureSpec",
    "SecureSum",
    "Terms",
    "Wallet",
    "advert",
    "decode_advert",
    "encode_advert",
    "least",
    "mask",
    "members",
    "parameters",
    "secure_sum",
    "share",
    "unmask",
]
