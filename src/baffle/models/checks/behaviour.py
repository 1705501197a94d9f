"""Checks that need to run the model, or to read its forward."""

from __future__ import annotations

from collections.abc import Iterator

from baffle.models.checks.finding import WHOLE, Finding, Subject, place


def runs(subject: Subject) -> Iterator[Finding]:
    """The example fails.

    Example:
        >>> import torch
        >>> from torch import nn
        >>> [f.severity for f in runs(Subject(nn.Linear(3, 2), torch.ones(4, 5)))]
        ['error']
    """
    if subject.trial.error:
        yield Finding(
            "error",
            WHOLE,
            f"It fails on the example, in eval mode and without gradients: {subject.trial.error}",
            "Check the example's shape, and that forward takes no gradient itself.",
        )


def repeatable(subject: Subject) -> Iterator[Finding]:
    """The same input gives another output.

    Example:
        >>> import torch
        >>> from torch import nn
        >>> class Noisy(nn.Linear):
        ...     def forward(self, x):
        ...         return super().forward(x) + torch.randn(2)
        >>> [f.severity for f in repeatable(Subject(Noisy(3, 2), torch.ones(4, 3)))]
        ['error']
    """
    if subject.trial.varies:
        yield Finding(
            "error",
            WHOLE,
            "Two evaluations of the same input differ in eval mode, and so would two losses at the "
            "same weights.",
            "Make forward a function of weights and inputs: draw no random numbers in eval mode.",
        )


def by_row(subject: Subject) -> Iterator[Finding]:
    """An example's output depends on the other examples.

    Example:
        >>> import torch
        >>> from torch import nn
        >>> class Centred(nn.Linear):
        ...     def forward(self, x):
        ...         return super().forward(x - x.mean(0))
        >>> [f.severity for f in by_row(Subject(Centred(3, 2), torch.eye(3)))]
        ['warning']
    """
    if subject.trial.mixes:
        yield Finding(
            "warning",
            WHOLE,
            "An example's output depends on the others in its batch, so that the batched pass is "
            "of no use and accuracy depends on the batches.",
            "Compute each example's output from that example alone.",
        )


def writes(subject: Subject) -> Iterator[Finding]:
    """Forward changes the model's own state.

    Example:
        >>> import torch
        >>> from torch import nn
        >>> class Counting(nn.BatchNorm1d):
        ...     def forward(self, x):
        ...         self.num_batches_tracked += 1
        ...         return super().forward(x)
        >>> [f.where for f in writes(Subject(Counting(3), torch.eye(3)))]
        ['num_batches_tracked']
    """
    for name in subject.trial.written:
        yield Finding(
            "warning",
            name,
            "Forward writes to this buffer in eval mode, so that clients come to hold other frozen "
            "state than was agreed on.",
            "Write to it only if self.training.",
        )


def unread(subject: Subject) -> Iterator[Finding]:
    """What could not be looked into.

    Example:
        >>> from torch import nn
        >>> class Picky(nn.Linear):
        ...     def forward(self, x):
        ...         return super().forward(x) if len(x) else x
        >>> [f.severity for f in unread(Subject(Picky(3, 2)))]
        ['note']
    """
    for name, reason in subject.calls.unread:
        yield Finding(
            "note",
            place(name),
            f"Its forward cannot be read without running it ({reason}), so that functions that it "
            "calls, such as F.relu, are not seen.",
            "Give the shape of an example.",
        )
