"""Images are what a registry serves under upstream's names."""

from __future__ import annotations

import hashlib
import io
import json
import subprocess
import tarfile
from pathlib import Path
from typing import Any

import pytest

from lab.artifacts import LAB, load_versions
from lab.images import Image, Layer, RegistryStorage, find, images


@pytest.fixture
def tool(tmp_path: Path) -> Path:
    path = tmp_path / "tool"
    path.write_bytes(b"machine code")
    return path


def unpack(layer: Layer) -> dict[str, tarfile.TarInfo]:
    output = io.BytesIO()
    layer.write(output)
    with tarfile.open(fileobj=io.BytesIO(output.getvalue())) as archive:
        return {entry.name: entry for entry in archive}


def stored(root: Path, digest: str) -> bytes:
    checksum = digest.removeprefix("sha256:")
    return (root / "docker/registry/v2/blobs/sha256" / checksum[:2] / checksum / "data").read_bytes()


def manifest(root: Path, repository: str, tag: str) -> dict[str, Any]:
    link = root / "docker/registry/v2/repositories" / repository / "_manifests/tags" / tag / "current/link"
    document: dict[str, Any] = json.loads(stored(root, link.read_text()))
    return document


def test_a_layer_has_every_directory_before_what_is_in_it(tool: Path) -> None:
    entries = unpack(Layer({"usr/bin/tool": tool}, {"usr/bin/alias": "tool"}, {"tmp": 0o1777}))
    assert list(entries) == ["tmp", "usr", "usr/bin", "usr/bin/alias", "usr/bin/tool"]
    assert entries["tmp"].mode == 0o1777
    assert entries["usr/bin/alias"].linkname == "tool"
    assert entries["usr/bin/tool"].size == len(b"machine code")


def test_equal_layers_are_one_blob_whenever_they_are_made(tool: Path, tmp_path: Path) -> None:
    storage = RegistryStorage(tmp_path / "registry")
    first = storage.add_blob(Layer({"tool": tool}).write)
    tool.touch()
    assert storage.add_blob(Layer({"tool": tool}).write) == first


def test_an_image_is_found_by_its_tag_with_content_that_matches_its_digests(tool: Path, tmp_path: Path) -> None:
    root = tmp_path / "registry"
    image = Image("calico/tool", "v1", (Layer({"tool": tool}), Layer({"more": tool})), ("/tool",), user="999")
    RegistryStorage(root).add(image, "amd64")
    found = manifest(root, "calico/tool", "v1")
    config = json.loads(stored(root, found["config"]["digest"]))
    layers = [stored(root, layer["digest"]) for layer in found["layers"]]
    assert config["config"]["Entrypoint"] == ["/tool"]
    assert config["config"]["User"] == "999"
    assert [len(layer) for layer in layers] == [layer["size"] for layer in found["layers"]]
    assert config["rootfs"]["diff_ids"] == [f"sha256:{hashlib.sha256(layer).hexdigest()}" for layer in layers]
    known = root / "docker/registry/v2/repositories/calico/tool/_layers/sha256"
    assert {path.name for path in known.iterdir()} == {
        digest.removeprefix("sha256:")
        for digest in (found["config"]["digest"], *(layer["digest"] for layer in found["layers"]))
    }


def test_everything_kubeadm_and_calico_pull_is_served(tool: Path) -> None:
    versions = load_versions()
    names = {f"{image.repository}:{image.tag}" for image in images(versions, lambda _: tool, tool, Layer())}
    kubernetes = {"kube-apiserver", "kube-controller-manager", "kube-proxy", "kube-scheduler"}
    calico = {"cni", "kube-controllers", "node", "typha"}
    assert names == {
        *(f"{name}:v{versions.kubernetes}" for name in kubernetes),
        *(f"calico/{name}:v{versions.calico}" for name in calico),
        f"etcd:{versions.etcd}-0",
        f"coredns/coredns:v{versions.coredns}",
        f"pause:{versions.pause}",
        f"e2e-test-images/agnhost:{versions.agnhost}",
    }


def test_the_tools_of_kube_proxy_and_calico_are_one_layer(tool: Path) -> None:
    tools = Layer({"usr/sbin/iptables": tool})
    made = {image.repository: image for image in images(load_versions(), lambda _: tool, tool, tools)}
    assert made["kube-proxy"].layers[0] is made["calico/node"].layers[0] is tools


def test_the_cni_image_has_one_binary_under_its_three_names(tool: Path) -> None:
    made = {image.repository: image for image in images(load_versions(), lambda _: tool, tool, Layer())}
    (layer,) = made["calico/cni"].layers
    assert list(layer.files) == ["opt/cni/bin/calico"]
    assert set(layer.links) == {"opt/cni/bin/calico-ipam", "opt/cni/bin/install"}


def test_a_file_is_found_on_either_side_of_the_usr_merge(tmp_path: Path) -> None:
    old = tmp_path / "package/sbin/ip"
    old.parent.mkdir(parents=True)
    old.touch()
    assert find("usr/sbin/ip", (tmp_path / "rootfs", tmp_path / "package")) == old


ENTRYPOINT = LAB / "files/calico-node-entrypoint"


def run_entrypoint(tmp_path: Path, felix: str) -> subprocess.CompletedProcess[str]:
    """The entry script with a calico-node that records its calls and whose felix runs the given commands."""
    program = tmp_path / "calico-node"
    nodename = tmp_path / "nodename"
    nodename.write_text("node-1")
    program.write_text(
        f'#!/bin/sh\necho "$@" >> {tmp_path}/calls\ncase "$1" in\n-felix) {felix};;\n'
        '-startup | -allocate-tunnel-addrs-run-once) ;;\n-allocate-tunnel-addrs) [ "${2:-}" ] || sleep 60;;\n'
        "*) sleep 60;;\nesac\n"
    )
    program.chmod(0o755)
    script = ENTRYPOINT.read_text().replace("/var/lib/calico/nodename", str(nodename))
    command = ["unshare", "--user", "--map-root-user", "--pid", "--fork", "--kill-child", "sh", "-c", script]
    environment = {"PATH": f"{tmp_path}:/usr/sbin:/usr/bin:/sbin:/bin", "CALICO_NETWORKING_BACKEND": "vxlan"}
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)


def test_calico_node_ends_with_felix(tmp_path: Path) -> None:
    assert run_entrypoint(tmp_path, "exit 7").returncode == 7


def test_felix_that_wants_its_changed_configuration_is_started_again(tmp_path: Path) -> None:
    again = f"[ -e {tmp_path}/once ] && exit 0; touch {tmp_path}/once; exit 129"
    assert run_entrypoint(tmp_path, again).returncode == 0
    calls = (tmp_path / "calls").read_text().splitlines()
    assert calls.count("-felix") == 2


def test_calico_node_does_not_start_when_its_startup_fails(tmp_path: Path) -> None:
    program = tmp_path / "calico-node"
    program.write_text("#!/bin/sh\nexit 3\n")
    program.chmod(0o755)
    command = ["sh", str(ENTRYPOINT)]
    status = subprocess.run(command, env={"PATH": f"{tmp_path}:/usr/bin:/bin"}, check=False).returncode
    assert status == 1
