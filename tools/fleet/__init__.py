"""A real Flower deployment on loopback: TLS, authenticated nodes, kills and restarts.

    with Deployment(folder, nodes=3) as fleet:
        run = fleet.run(app, {"rounds": 5})
        fleet.wait(run, 120)

Linux only: processes are found by a mark in their environment, read from /proc.
"""

from tools.fleet.deployment import Deployment, RunState

__all__ = ["Deployment", "RunState"]
