"""The enclave's manifest: rendered as Gramine does it, in keys that Gramine documents."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from jinja2 import Environment, StrictUndefined, meta

from baffle.drivers.device.command import parser
from baffle.drivers.device.start import MODULE, ONE_HEAP
from deploy.enclave.size import enclave_size, table

ROOT = Path(__file__).parents[2]
ENCLAVE = ROOT / "deploy" / "enclave"
PAGE = (ROOT / "docs" / "enclave.md").read_text(encoding="utf-8")
TEMPLATE = (ENCLAVE / "baffle-device.manifest.template").read_text(encoding="utf-8")
BUILD = (ENCLAVE / "build").read_text(encoding="utf-8")
FIGURES = ROOT / "benchmarks" / "device.json"
SEALS = ("_sgx_mrenclave", "_sgx_mrsigner", "plain")

# Documentation/manifest-syntax.rst of Gramine 1.9, as far as it is used here.
KEYS = {
    "loader.entrypoint.uri": str, "loader.argv": list, "loader.log_level": str,
    "libos.entrypoint": str,
    "sys.stack.size": str, "sys.enable_sigterm_injection": bool,
    "sys.enable_extra_runtime_domain_names_conf": bool, "sys.experimental__enable_flock": bool,
    "sys.disallow_subprocesses": bool,
    "fs.mounts": list,
    "sgx.debug": bool, "sgx.enclave_size": str, "sgx.edmm_enable": bool, "sgx.max_threads": int,
    "sgx.remote_attestation": str, "sgx.isvprodid": int, "sgx.isvsvn": int,
    "sgx.trusted_files": list, "sgx.allowed_files": list,
}  # fmt: skip
GIVEN = {
    "server": "https://gateway.example.org:8443", "server_key": "ab" * 32,
    "ca": "/srv/ca.pem", "model": "/srv/model", "data": "/srv/data", "token": "/srv/token",
    "state": "/srv/state", "python": "/usr/bin/python3.11", "libpython": "", "libdir": "",
    "stdlib": "/usr/lib/python3.11", "site": "/opt/baffle/venv/lib/python3.11/site-packages",
    "arch_libdir": "/lib/x86_64-linux-gnu", "memory": "90", "enclave_size": "256M",
    "edmm": "false", "isvsvn": "0", "seal": "_sgx_mrenclave",
}  # fmt: skip
GRAMINE_MANIFEST = f"""#!{sys.executable}
import pathlib, sys
sys.path.insert(0, {str(ROOT)!r})
from tests.docs.test_enclave import rendered_text
*defined, template, output = sys.argv[1:]
assert all(d.startswith("-D") for d in defined), defined
given = dict(d[2:].split("=", 1) for d in defined)
pathlib.Path(output).write_text(rendered_text(pathlib.Path(template).read_text(), given))
"""


class Gramine:
    """What gramine-manifest lends a template."""

    libos = "/usr/lib/x86_64-linux-gnu/gramine/libsysdb.so"

    @staticmethod
    def runtimedir() -> str:
        """Return where its C library lies."""
        return "/usr/lib/x86_64-linux-gnu/gramine/runtime/glibc"


def rendered_text(template: str, given: dict[str, str]) -> str:
    """Return a template rendered as gramine-manifest does it: an unknown name is an error."""
    return (
        Environment(undefined=StrictUndefined).from_string(template).render(given, gramine=Gramine)
    )


def rendered(**named: str) -> dict:
    return tomllib.loads(rendered_text(TEMPLATE, {**GIVEN, **named}))


def flat(table_: dict, before: str = ""):
    for name, value in table_.items():
        if isinstance(value, dict):
            yield from flat(value, f"{before}{name}.")
        else:
            yield before + name, value


@pytest.mark.parametrize("seal", SEALS)
@pytest.mark.parametrize("libpython", ["", "/opt/python/lib/libpython3.11.so.1.0"])
def test_every_key_is_one_that_gramine_documents(seal, libpython):
    found = dict(flat(rendered(seal=seal, libpython=libpython)))
    environment = {k: v for k, v in found.items() if k.startswith("loader.env.")}
    assert all(isinstance(value, str) for value in environment.values())
    rest = found.keys() - environment.keys()
    assert rest == KEYS.keys()
    assert all(type(found[name]) is KEYS[name] for name in rest)


def test_nothing_comes_from_the_host_but_its_data_and_its_token():
    manifest, sgx = rendered(), rendered()["sgx"]
    assert "insecure" not in TEMPLATE
    assert "passthrough" not in TEMPLATE
    assert sgx["allowed_files"] == ["file:/srv/data/", "file:/srv/token"]
    assert not sgx["debug"]
    sealed = {m["uri"] for m in manifest["fs"]["mounts"] if m.get("type") == "encrypted"}
    assert sealed == {"file:/srv/state"}
    known = {uri.rstrip("/") for uri in (*sgx["trusted_files"], *sgx["allowed_files"], *sealed)}
    mounted = {m["uri"] for m in manifest["fs"]["mounts"] if m.get("type") != "tmpfs"}
    assert mounted <= known


@pytest.mark.parametrize("seal", SEALS)
def test_the_state_is_sealed_by_the_key_that_was_asked_for(seal):
    (state,) = (m for m in rendered(seal=seal)["fs"]["mounts"] if m["path"] == "/device/state")
    assert state.get("key_name") == (None if seal == "plain" else seal)


def test_the_command_is_one_that_the_device_takes_and_no_two_devices_differ_in_it():
    python, *flags, module = rendered()["loader"]["argv"][:5]
    assert (python, flags, module) == (GIVEN["python"], ["-OO", "-s", "-m"], MODULE)
    found = parser().parse_args(rendered()["loader"]["argv"][5:])
    assert found.server_key == GIVEN["server_key"]
    assert (found.memory, found.client, found.insecure) == (90.0, None, False)
    mounted = {m["path"] for m in rendered()["fs"]["mounts"]}
    assert {
        str(p) for p in (found.model, found.data, found.state, found.token, found.ca)
    } <= mounted


def test_the_client_has_one_heap_as_outside():
    environment = rendered()["loader"]["env"]
    assert ONE_HEAP.items() <= environment.items()
    assert environment["PYTHONPATH"] == GIVEN["site"]


def test_the_script_gives_every_variable_of_the_template_and_no_other():
    asked = meta.find_undeclared_variables(Environment().parse(TEMPLATE)) - {"gramine"}
    assert asked == GIVEN.keys()
    assert set(re.findall(r"-D(\w+)=", BUILD)) == asked


@pytest.mark.slow
@pytest.mark.parametrize("seal", SEALS)
def test_the_script_renders_and_signs(tmp_path, seal):
    bin_, signed = tmp_path / "bin", tmp_path / "signed"
    bin_.mkdir()
    for name, text in (("gramine-manifest", GRAMINE_MANIFEST),
                       ("gramine-sgx-sign", f'#!/bin/sh\necho "$@" > {signed}\n')):  # fmt: skip
        (bin_ / name).write_text(text)
        (bin_ / name).chmod(0o755)
    paths = [str(tmp_path / n) for n in ("ca.pem", "model", "data", "token", "state")]
    environment = {**os.environ, "SEAL": seal, "PYTHON": sys.executable, "ENCLAVE_SIZE": "512M",
                   "PATH": f"{bin_}:{os.environ['PATH']}"}  # fmt: skip
    command = [str(ENCLAVE / "build"), "https://gateway.example.org:8443", "ab" * 32, *paths]
    subprocess.run(command, cwd=tmp_path, env=environment, check=True)
    found = tomllib.loads((tmp_path / "baffle-device.manifest").read_text(encoding="utf-8"))
    assert found["libos"]["entrypoint"] == os.path.realpath(sys.executable)
    assert Path(found["loader"]["env"]["PYTHONPATH"], "numpy").is_dir()
    assert found["sgx"]["enclave_size"] == "512M"
    assert (tmp_path / "state").is_dir()
    assert signed.exists() == (seal != "plain")


@pytest.mark.parametrize("wrong", [["relative"] * 5, ["/a"] * 4])
def test_the_script_says_what_it_expected(tmp_path, wrong):
    found = subprocess.run([str(ENCLAVE / "build"), "https://x", "ab", *wrong], cwd=tmp_path,
                           capture_output=True, text=True, check=False)  # fmt: skip
    assert found.returncode == 2
    assert found.stderr.startswith("expected ")
    assert not list(tmp_path.iterdir())


def test_sizes_are_powers_of_two_that_hold_what_was_measured():
    for row in json.loads(FIGURES.read_text(encoding="utf-8"))["rows"]:
        found = enclave_size(row["peak_mib"])
        assert found & (found - 1) == 0
        assert row["peak_mib"] < found <= 512
    assert enclave_size(79, data_mib=60) == 512
    assert table(FIGURES) in PAGE


def test_the_page_points_to_each_file_and_to_what_is_there():
    files = {f"../deploy/enclave/{p.name}" for p in ENCLAVE.iterdir() if p.is_file()}
    targets = set(re.findall(r"\]\(([^)#]+)", PAGE))
    assert files <= targets
    for target in targets:
        assert target.startswith("http") or (ROOT / "docs" / target).exists(), target
