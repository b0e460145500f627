"""Container images made of the lab's own binaries, and a registry's storage filled with them.

Layers are uncompressed and few: unpacking images on every node is most of what bringing up a cluster costs here. What
a tool needs of Debian (libraries, extensions of iptables) comes from packages, and the layer that holds it is shared.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import subprocess
import tarfile
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

from lab.artifacts import LAB, Versions
from lab.errors import LabError

MANIFEST_TYPE = "application/vnd.oci.image.manifest.v1+json"
CONFIG_TYPE = "application/vnd.oci.image.config.v1+json"
LAYER_TYPE = "application/vnd.oci.image.layer.v1.tar"
SEARCH_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
NOBODY_IN_CALICO = "999"
TRIPLETS = {"amd64": "x86_64-linux-gnu", "arm64": "aarch64-linux-gnu"}

IPTABLES_COMMANDS = tuple(
    f"{family}{backend}{action}"
    for family in ("iptables", "ip6tables")
    for backend in ("", "-nft", "-legacy")
    for action in ("", "-save", "-restore")
)
NETWORK_TOOLS = (
    "usr/bin/cat",
    "usr/bin/dash",
    "usr/bin/sleep",
    "usr/sbin/conntrack",
    "usr/sbin/ip",
    "usr/sbin/ipset",
    "usr/sbin/nft",
    "usr/sbin/xtables-legacy-multi",
    "usr/sbin/xtables-nft-multi",
)
MERGED_USR = {"bin": "usr/bin", "lib": "usr/lib", "lib64": "usr/lib64", "sbin": "usr/sbin"}


@dataclass(frozen=True)
class Layer:
    files: Mapping[str, Path] = field(default_factory=dict)
    links: Mapping[str, str] = field(default_factory=dict)
    directories: Mapping[str, int] = field(default_factory=dict)
    """Path: mode, for those that are not merely a file's parents."""

    def write(self, output: BinaryIO) -> None:
        with tarfile.open(fileobj=output, mode="w|", format=tarfile.GNU_FORMAT) as archive:
            for path, mode in self._all_directories().items():
                archive.addfile(_entry(path, tarfile.DIRTYPE, mode))
            for path, target in self.links.items():
                link = _entry(path, tarfile.SYMTYPE, 0o777)
                link.linkname = target
                archive.addfile(link)
            for path, source in self.files.items():
                file = _entry(path, tarfile.REGTYPE, 0o755)
                file.size = source.stat().st_size
                with source.open("rb") as content:
                    archive.addfile(file, content)

    def _all_directories(self) -> dict[str, int]:
        needed = dict(self.directories)
        for path in (*self.files, *self.links, *self.directories):
            for parent in Path(path).parents[:-1]:
                needed.setdefault(str(parent), 0o755)
        return dict(sorted(needed.items()))


def _entry(path: str, kind: bytes, mode: int) -> tarfile.TarInfo:
    entry = tarfile.TarInfo(path)
    entry.type, entry.mode = kind, mode
    return entry


@dataclass(frozen=True)
class Image:
    repository: str
    """The name without its registry's host: what a mirror for every registry is asked for."""
    tag: str
    layers: tuple[Layer, ...]
    entrypoint: tuple[str, ...]
    command: tuple[str, ...] = ()
    user: str = ""
    working_directory: str = "/"
    environment: Mapping[str, str] = field(default_factory=dict)

    def config(self, architecture: str, diff_ids: Iterable[str]) -> dict[str, object]:
        return {
            "architecture": architecture,
            "os": "linux",
            "config": {
                "Env": [f"{name}={value}" for name, value in {"PATH": SEARCH_PATH, **self.environment}.items()],
                "Entrypoint": list(self.entrypoint),
                "Cmd": list(self.command),
                "User": self.user,
                "WorkingDir": self.working_directory,
            },
            "rootfs": {"type": "layers", "diff_ids": list(diff_ids)},
        }


def images(versions: Versions, binary: Callable[[str], Path], pause: Path, tools: Layer) -> tuple[Image, ...]:
    """Every image that a cluster of the lab pulls."""
    kubernetes = f"v{versions.kubernetes}"
    calico = f"v{versions.calico}"

    def kubernetes_image(name: str, *below: Layer) -> Image:
        layer = Layer({f"usr/local/bin/{name}": binary(name)})
        return Image(name, kubernetes, (*below, layer), entrypoint=(f"/usr/local/bin/{name}",))

    return (
        kubernetes_image("kube-apiserver"),
        kubernetes_image("kube-controller-manager"),
        kubernetes_image("kube-scheduler"),
        kubernetes_image("kube-proxy", tools),
        Image(
            "etcd",
            f"{versions.etcd}-0",
            (Layer({f"usr/local/bin/{name}": binary(name) for name in ("etcd", "etcdctl", "etcdutl")}),),
            entrypoint=("/usr/local/bin/etcd",),
        ),
        Image(
            "coredns/coredns",
            f"v{versions.coredns}",
            (Layer({"coredns": binary("coredns")}),),
            entrypoint=("/coredns",),
        ),
        Image("pause", versions.pause, (Layer({"pause": pause}),), entrypoint=("/pause",), user="65535:65535"),
        Image(
            "e2e-test-images/agnhost",
            versions.agnhost,
            (Layer({"agnhost": binary("agnhost")}, directories={"tmp": 0o1777, "uploads": 0o1777}),),
            entrypoint=("/agnhost",),
            command=("pause",),
        ),
        Image(
            "calico/node",
            calico,
            (
                tools,
                Layer(
                    {
                        "usr/bin/calico-node": binary("calico-node"),
                        "usr/bin/entrypoint": LAB / "files/calico-node-entrypoint",
                        "etc/calico/felix.cfg": LAB / "files/felix.cfg",
                    }
                ),
            ),
            entrypoint=("/usr/bin/entrypoint",),
        ),
        # The other CNI plugins are on every node already: kubelet's package depends on kubernetes-cni.
        Image(
            "calico/cni",
            calico,
            (
                Layer(
                    {"opt/cni/bin/calico": binary("calico-cni")},
                    links={f"opt/cni/bin/{name}": "calico" for name in ("calico-ipam", "install")},
                ),
            ),
            entrypoint=("/opt/cni/bin/install",),
        ),
        Image(
            "calico/kube-controllers",
            calico,
            (
                Layer(
                    {f"usr/bin/{name}": binary(name) for name in ("kube-controllers", "check-status")},
                    directories={"profiles": 0o1777, "status": 0o1777},
                ),
            ),
            entrypoint=("/usr/bin/kube-controllers",),
            user=NOBODY_IN_CALICO,
        ),
        Image(
            "calico/typha",
            calico,
            (Layer({"usr/bin/calico-typha": binary("calico-typha"), "etc/calico/typha.cfg": LAB / "files/typha.cfg"}),),
            entrypoint=("/usr/bin/calico-typha",),
            user=NOBODY_IN_CALICO,
        ),
    )


def network_tools(roots: tuple[Path, ...], architecture: str) -> Layer:
    """iptables with every extension, and what else kube-proxy and felix call, out of unpacked Debian trees."""
    libraries = f"usr/lib/{TRIPLETS[architecture]}"
    extensions = [str(path.relative_to(root)) for root in roots for path in root.glob(f"{libraries}/xtables/*.so")]
    if not extensions:
        raise LabError(f"no iptables extensions below {', '.join(map(str, roots))}")
    files = {
        **with_libraries((*NETWORK_TOOLS, *extensions), roots, architecture),
        # Where ipset looks up "tcp", which felix writes for a policy that names its port.
        "etc/protocols": find("etc/protocols", roots),
    }
    links = {
        f"usr/sbin/{command}": f"xtables-{'legacy' if 'legacy' in command else 'nft'}-multi"
        for command in IPTABLES_COMMANDS
    }
    return Layer(files, links={**MERGED_USR, "usr/bin/sh": "dash", **links}, directories={"run": 0o755, "tmp": 0o1777})


def with_libraries(programs: Iterable[str], roots: tuple[Path, ...], architecture: str) -> dict[str, Path]:
    """Dynamically linked programs of unpacked Debian trees, and all that the dynamic linker will load for them."""
    libraries = f"usr/lib/{TRIPLETS[architecture]}"
    files = {path: find(path, roots) for path in programs}
    interpreter = interpreter_of(next(iter(files.values())))
    pending = list(files.values())
    while pending:
        program = pending.pop()
        for path in needed_libraries(program, libraries):
            if path not in files:
                files[path] = find(path, roots)
                pending.append(files[path])
    files[f"usr{interpreter}"] = find(f"{libraries}/{Path(interpreter).name}", roots)
    return files


def find(path: str, roots: tuple[Path, ...]) -> Path:
    """The first tree's file of this path, whichever side of the merge of /usr its package still names."""
    for root in roots:
        for candidate in (root / path, root / path.removeprefix("usr/")):
            if candidate.is_file():
                return candidate.resolve()
    raise LabError(f"{path} is in none of {', '.join(map(str, roots))}")


def needed_libraries(program: Path, libraries: str) -> list[str]:
    return [f"{libraries}/{name}" for name in re.findall(r"\(NEEDED\).*\[(.+)\]", _readelf("--dynamic", program))]


def interpreter_of(program: Path) -> str:
    found = re.search(r"interpreter: (.+)\]", _readelf("--program-headers", program))
    if not found:
        raise LabError(f"{program} names no program interpreter")
    return found[1]


def _readelf(what: str, program: Path) -> str:
    command = ["readelf", what, str(program)]
    untranslated = {**os.environ, "LC_ALL": "C"}
    return subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True, env=untranslated).stdout


@dataclass(frozen=True)
class Blob:
    digest: str
    size: int

    def descriptor(self, media_type: str) -> dict[str, object]:
        return {"mediaType": media_type, "digest": self.digest, "size": self.size}


class RegistryStorage:
    """The file system of a docker-registry, written directly: no registry has to run while images are made."""

    def __init__(self, root: Path) -> None:
        self.root = root / "docker/registry/v2"
        (self.root / "blobs").mkdir(parents=True, exist_ok=True)

    def add(self, image: Image, architecture: str) -> None:
        layers = [self.add_blob(layer.write) for layer in image.layers]
        config = self._add_json(image.config(architecture, (layer.digest for layer in layers)))
        manifest = self._add_json(
            {
                "schemaVersion": 2,
                "mediaType": MANIFEST_TYPE,
                "config": config.descriptor(CONFIG_TYPE),
                "layers": [layer.descriptor(LAYER_TYPE) for layer in layers],
            }
        )
        repository = self.root / "repositories" / image.repository
        for blob in (config, *layers):
            _link(repository / "_layers" / blob.digest.replace(":", "/"), blob)
        tag = repository / "_manifests/tags" / image.tag
        _link(repository / "_manifests/revisions" / manifest.digest.replace(":", "/"), manifest)
        _link(tag / "index" / manifest.digest.replace(":", "/"), manifest)
        _link(tag / "current", manifest)

    def add_blob(self, write: Callable[[BinaryIO], None]) -> Blob:
        staging = self.root / "blobs/partial"
        with staging.open("w+b") as output:
            write(output)
            size = output.tell()
            output.seek(0)
            checksum = hashlib.file_digest(output, "sha256").hexdigest()
        place = self.root / "blobs/sha256" / checksum[:2] / checksum
        place.mkdir(parents=True, exist_ok=True)
        staging.rename(place / "data")
        return Blob(f"sha256:{checksum}", size)

    def _add_json(self, document: dict[str, object]) -> Blob:
        content = json.dumps(document).encode()

        def write(output: BinaryIO) -> None:
            output.write(content)

        return self.add_blob(write)


def _link(directory: Path, blob: Blob) -> None:
    directory.mkdir(parents=True, exist_ok=True)
    link = directory / "link"
    # The next release's storage begins with the files of this one's.
    if not link.exists():
        link.write_text(blob.digest)
