"""A Grid in memory that does what it is told, and a real one with nodes that answer."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

RUN, SERVER = 7, 1


def identity() -> None:
    """Say who we are, as Flower does in a ServerApp's process."""
    from flwr.supercore.task_identity import TaskIdentity

    TaskIdentity.run_id, TaskIdentity.node_id, TaskIdentity.task_id = RUN, SERVER, 3


class FakeGrid:
    """Takes messages and gives what `answer(message)` makes of them: messages or an error."""

    def __init__(self, nodes: set[int], answer: Callable[[Any], list[Any]]) -> None:
        self.online, self.answer = nodes, answer
        self.pushes: list[list[Any]] = []
        self.pulls: list[list[str]] = []
        self.waiting: dict[str, Any] = {}
        self.fail: list[Exception] = []

    def get_node_ids(self) -> list[int]:
        return sorted(self.online)

    def push_messages(self, messages: list[Any]) -> list[str]:
        if self.fail:
            raise self.fail.pop()
        self.pushes.append(messages)
        ids = []
        for message in messages:
            message.metadata.__dict__["_message_id"] = message.object_id
            known = message.metadata.dst_node_id in self.online
            ids.append(message.object_id if known else "")
            if known:
                self.waiting[message.object_id] = message
        return ids

    def pull_messages(self, ids: list[str]) -> list[Any]:
        self.pulls.append(ids)
        taken = [self.waiting.pop(key) for key in ids if key in self.waiting]
        return [reply for message in taken for reply in self.answer(message)]
