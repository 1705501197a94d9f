"""Which protections go together; what does not is refused here, with the reason.

docs/privacy.md has the table, and a test runs each of its cells.
"""

from __future__ import annotations

from baffle.aggregation import Rule, make_rule
from baffle.aggregation.rules import PlainSum, require_each
from baffle.cohort import cohort_size, group_count
from baffle.config.settings import Settings
from baffle.errors import ConfigError

NONE = "none"
MAX_CANDIDATES = 2**16 - 1
AUTO_CANDIDATES = 4  # a picked example


def require_together(settings: Settings) -> None:
    """Raise ConfigError unless secure sums, groups, noise, rules, weights and steps go together.

    Example:
        >>> require_together(Settings())
    """
    _require_reports(settings)
    _require_candidates(settings)
    _require_groups(settings)
    _require_noise(settings)
    _require_rule(settings)


def rule_of(settings: Settings) -> Rule:
    """Return the rule that the settings name."""
    r = settings.robust
    return make_rule(r.rule, r.share, r.multiple)


def least_group(settings: Settings) -> int:
    """Return the clients of the smallest group that is formed."""
    secure = settings.secure
    return max(settings.groups.least, secure.min_group if secure.sums else 1)


def groups_of(settings: Settings, clients: int) -> int:
    """Return into how many groups a round of so many clients is dealt."""
    return group_count(clients, settings.groups.number, least_group(settings))


def _asked(settings: Settings) -> int:
    f = settings.federation
    return cohort_size(f.clients, f.participation, f.cohort)


def _require_reports(settings: Settings) -> None:
    asked, wanted = _asked(settings), settings.federation.min_reports
    if wanted > asked:
        raise ConfigError(
            f"federation.min_reports is {wanted}, and a round asks {asked} clients: no round could "
            "ever count"
        )


def candidates_of(settings: Settings) -> int:
    """Return how many examples a client looks at before it picks; "auto" is 0 where none may be."""
    p = settings.probe
    if isinstance(p.candidates, int):
        return p.candidates
    wanted = AUTO_CANDIDATES * p.batch
    return 0 if settings.privacy.unit == "example" or wanted > MAX_CANDIDATES else wanted


def _require_candidates(settings: Settings) -> None:
    p = settings.probe
    if not candidates_of(settings) or p.candidates == "auto":
        return
    if not 1 <= p.batch <= p.candidates:
        raise ConfigError(
            f"probe.candidates is {p.candidates}, of which probe.batch are picked: expected a "
            f"batch of 1 to {p.candidates}, got {p.batch}"
        )
    if settings.privacy.unit == "example":
        raise ConfigError(
            "with the example as unit of privacy a client takes each example with the same secret "
            "chance, and picking by losses would tell of them: set probe.candidates to 0"
        )


def _require_groups(settings: Settings) -> None:
    asked, least = _asked(settings), least_group(settings)
    if asked < least:
        what = "secure sums are" if settings.secure.sums else "a group is"
        raise ConfigError(
            f"{what} of at least {least} clients, and a round asks {asked}: ask more clients, or "
            "allow smaller groups"
        )
    found = groups_of(settings, asked)
    if found < settings.groups.number:
        raise ConfigError(
            f"groups.number is {settings.groups.number}, and {asked} clients a round make "
            f"{found} groups of at least {least}: ask more clients, fewer groups or smaller ones"
        )


def _require_noise(settings: Settings) -> None:
    p, f = settings.privacy, settings.federation
    if p.unit == NONE:
        return
    if not settings.secure.sums:
        raise ConfigError(
            "privacy noise comes in shares, one a client, and only their sum is enough: without "
            "secure sums the server would see each report with a share alone; set secure.sums"
        )
    if f.weighting != "uniform":
        raise ConfigError(
            "privacy goes with uniform weights: a weight by examples tells how many a client has, "
            "and multiplies what one client can change; set federation.weighting to uniform"
        )
    if settings.update.step_size == "auto":
        raise ConfigError(
            "update.step_size is auto, and its trials would look at the data outside the privacy "
            "budget: set it, for example to 0.01, or to what public data of the kind want"
        )
    if p.unit == "example":
        _require_examples(settings)
    if p.unit == "example" and settings.hostile.share:
        raise ConfigError(
            "simulated attacks are on reports, and with the example as unit of privacy there are "
            "none: set hostile.share to 0, or privacy.unit to client"
        )


def _require_examples(settings: Settings) -> None:
    if settings.probe.num_local_steps > 1:
        raise ConfigError(
            "with the example as unit of privacy there is one local step: an example of the first "
            "moves the weights that all later ones are evaluated at, so that one example could "
            "change everything; set probe.num_local_steps to 1, or privacy.unit to client"
        )
    if not settings.probe.batch:
        raise ConfigError(
            "with the example as unit of privacy a client draws its examples in secret, and "
            "probe.batch says how many it expects; it is 0, which means all: set it"
        )


def _require_rule(settings: Settings) -> None:
    rule, g = rule_of(settings), settings.groups
    if rule.name == PlainSum.name:
        return
    if settings.federation.weighting != "uniform":
        raise ConfigError(
            f"{rule.name} counts heads: a weight is a claim, and a rule against false claims "
            "cannot build on one; set federation.weighting to uniform"
        )
    asked = _asked(settings)
    if settings.secure.sums:
        _require_rule_over_groups(settings, rule)
    elif g.directions == "shared" and g.number != 1:
        raise ConfigError(
            f"without secure sums {rule.name} is over single reports, and groups that share "
            "directions would only hide them from it: set groups.number to 1"
        )
    else:
        size, rest = divmod(asked, groups_of(settings, asked))
        require_each(rule, size, size + (rest > 0))


def _require_rule_over_groups(settings: Settings, rule: Rule) -> None:
    if settings.groups.directions != "shared":
        raise ConfigError(
            f"with secure sums the server sees one sum for each set of directions, and {rule.name} "
            "needs several to compare: set groups.directions to shared, and groups.number"
        )
    found = groups_of(settings, _asked(settings))
    require_each(rule, found, found)
