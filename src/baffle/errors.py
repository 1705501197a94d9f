"""Every error that baffle raises on purpose, in one tree.

    BaffleError
    ├── ConfigError        a setting is unknown, out of range, or does not go with another
    │   └── BoundError     integers could leave the range in which sums are exact
    ├── DataError          a data file or an array is missing, truncated or of the wrong form
    ├── ModelError         a model cannot be trained by probes, or is not the one agreed on
    │   └── SignatureMismatch
    ├── ProbeError         a loss came back with the wrong shape or type
    ├── ProtocolError      bytes or events that the protocol does not allow
    │   ├── DecodeError    bytes that are not the one encoding of a message
    │   └── Refused        a well-formed message that does not belong here, with a short reason code
    ├── LinkLost           the network's server could not be reached, or serves this run no more
    ├── WorkerError        a client's lasting process did not start, or ended before it answered
    └── LedgerError        a run folder cannot be used as it stands
        ├── LedgerVersion  written by another format version
        ├── LedgerLocked   another process holds it
        ├── LedgerFull     the disk would not take it
        └── LedgerTampered stored bytes differ from what was written; names the round

Each message is one sentence or two: what was expected, what came, and what to do. The command
line prints it without a traceback and exits with `exit_code`.
"""

from __future__ import annotations


class BaffleError(Exception):
    """Root of the tree. `exit_code` is what the command line ends with."""

    exit_code = 1


class ConfigError(BaffleError):
    """A setting is unknown, out of range, or does not go with another one."""

    exit_code = 2


class BoundError(ConfigError):
    """An integer sum could leave the range where it is exact; the message shows why."""


class DataError(BaffleError):
    """A data file or array is missing, truncated or of the wrong form."""

    exit_code = 2


class ModelError(BaffleError):
    """A model cannot be trained by probes."""

    exit_code = 2


class SignatureMismatch(ModelError):
    """Two models that ought to be the same differ in a tensor's name, shape, dtype or role."""


class ProbeError(BaffleError):
    """A loss is not one real number a direction."""


class ProtocolError(BaffleError):
    """Bytes or events that the protocol does not allow."""


class DecodeError(ProtocolError):
    """Bytes that are not the one canonical encoding of a message."""


class Refused(ProtocolError):
    """A well-formed message that does not belong here. `reason` is a short code that is counted."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason


class LinkLost(BaffleError):
    """The network's server could not be reached, or will not serve this run any more."""


class WorkerError(BaffleError):
    """A client's lasting process did not start, or ended before it answered."""


class LedgerError(BaffleError):
    """A run folder cannot be used as it stands."""


class LedgerVersion(LedgerError):
    """The run folder was written by another format version."""


class LedgerLocked(LedgerError):
    """Another process is writing to the run folder."""


class LedgerFull(LedgerError):
    """The disk would not take a round; nothing was acknowledged."""


class LedgerTampered(LedgerError):
    """Stored bytes differ from what was written. `round` is the first concerned."""

    def __init__(self, round: int, message: str) -> None:
        super().__init__(message)
        self.round = round
