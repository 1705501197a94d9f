"""What a module is found to be: its tensors, its layers, what its forward calls and does.

`baffle.models.advice` lists the checks and runs them.

    shelter    look at a module at work and leave it as it was
    calls      the functions that forward calls, seen in a run or read off a trace
    trial      what only evaluating an example shows
    finding    what a check gets, and what it says
    tensors, layers, behaviour, pruned   the checks

Example:
    >>> from torch import nn
    >>> from baffle.models.checks.finding import Subject
    >>> from baffle.models.checks.layers import dropout
    >>> [finding.where for finding in dropout(Subject(nn.Sequential(nn.Dropout(0.1))))]
    ['0']
"""
