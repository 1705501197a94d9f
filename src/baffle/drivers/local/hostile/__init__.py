"""Attacks: what simulated hostile clients do. One row an attack."""

from __future__ import annotations

from baffle.drivers.local.hostile.alie import ALittleIsEnough
from baffle.drivers.local.hostile.base import Attack, Scene, attack_words, hostile_clients
from baffle.drivers.local.hostile.inner_product import InnerProduct
from baffle.drivers.local.hostile.label_flip import LabelFlip
from baffle.drivers.local.hostile.random_levels import RandomLevels
from baffle.drivers.local.hostile.scaling import Scaling
from baffle.drivers.local.hostile.sign_flip import SignFlip
from baffle.errors import ConfigError

ATTACKS: dict[str, type[Attack]] = {
    attack.name: attack
    for attack in (SignFlip, Scaling, RandomLevels, LabelFlip, ALittleIsEnough, InnerProduct)
}


def make_attack(name: str, strength: float | None = None) -> Attack:
    """Return the attack of that name.

    Args:
        name: a row of ATTACKS.
        strength: the factor of scaling and inner_product, the z of alie; None: their default.

    Raises:
        ConfigError: no such attack, or a strength that it has no use for or cannot use.

    Example:
        >>> make_attack("scaling", strength=5.0)
        Scaling(factor=5.0)
    """
    if name not in ATTACKS:
        raise ConfigError(f"attack must be one of {', '.join(ATTACKS)}, got {name!r}")
    attack = ATTACKS[name]
    if strength is None:
        return attack()
    if issubclass(attack, (Scaling, InnerProduct, ALittleIsEnough)):
        return attack(strength)
    raise ConfigError(f"attack {name} has no strength: leave it out")


__all__ = ["ATTACKS", "Attack", "Scene", "attack_words", "hostile_clients", "make_attack"]
