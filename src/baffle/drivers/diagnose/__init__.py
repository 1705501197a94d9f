"""`baffle diagnose`: why does a run not learn.

reading     a run folder to figures
measuring/  figures from evaluating the run's model on its data
figures     what is known of a run, as values
checks/     figures to findings, one function and one row of CHECKS each; no I/O
diagnosis   all of it, and what comes first
"""

from baffle.drivers.diagnose.checks import CHECKS
from baffle.drivers.diagnose.diagnosis import Diagnosis, conclude, diagnose
from baffle.drivers.diagnose.finding import Finding

__all__ = ["CHECKS", "Diagnosis", "Finding", "conclude", "diagnose"]
