"""Two calls to a SuperLink without the second and a half that starting `flwr` takes.

They use Flower's own clients, which are not a public interface: they are pinned with Flower.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any


def run_status(address: str, authority: Path, run: int) -> tuple[str, str]:
    """Return a run's status, like `running` or `finished:failed`, and the details of its end."""
    from flwr.proto.control_pb2 import ListRunsRequest
    from flwr.supercore.control import ControlHttpClient

    with ControlHttpClient.from_server_address(
        address, False, authority.read_bytes(), _version("flwr CLI")
    ) as client:
        found = client.ListRuns(ListRunsRequest(run_id=run)).run_dict[run].status
    status = f"{found.status}:{found.sub_status}" if found.sub_status else str(found.status)
    return status, str(found.details)


def sign_off(address: str, authority: Path, key: Path, node: int) -> None:
    """Tell the SuperLink that `node`, whose private key is in the file `key`, is gone.

    A SuperNode that ends in order does this itself. After a SIGKILL the SuperLink holds the node
    for connected until its heartbeats are overdue, 35 to 60 s, and refuses to let it back in.
    """
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.hazmat.primitives.serialization import load_ssh_private_key
    from flwr.proto.fleet_pb2 import DeactivateNodeRequest
    from flwr.supernode.fleet_http_client import FleetHttpClient
    from flwr.supernode.node_auth_http_interceptor import NodeAuthHttpInterceptor

    private = load_ssh_private_key(key.read_bytes(), None)
    if not isinstance(private, ec.EllipticCurvePrivateKey):
        raise TypeError(f"{key} is not an elliptic-curve key")
    signing = [*_version("SuperNode"), NodeAuthHttpInterceptor(private, private.public_key())]
    with FleetHttpClient.from_server_address(
        address, False, authority.read_bytes(), signing
    ) as client:
        client.DeactivateNode(DeactivateNodeRequest(node_id=node))


def _version(component: str) -> list[Any]:
    from flwr.supercore.interceptors import RuntimeVersionHttpInterceptor

    return [RuntimeVersionHttpInterceptor(component_name=component)]
