# Copyright (c) 2026 Groundwork founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the kubeadm modules share: running kubeadm, reading its documents, asking it what it would write.

kubeadm itself is the only author of certificates, manifests and kubelet files here. Its dry run writes what it would
write into a directory we choose, so comparing that with the disk tells what a change would do, and no rule of
kubeadm's is written down twice. Its YAML is always in one canonical form, so text comparison is exact.
"""

from __future__ import annotations

import base64
import difflib
import hashlib
import os
import re
import shutil
import tempfile
import time
import typing as t

from ansible_collections.groundwork.kube.plugins.module_utils.api import (
    ApiClient,
    ApiError,
    ApiUnreachableError,
    resolve_access,
)
from ansible_collections.groundwork.kube.plugins.module_utils.lock import node_lock
from ansible_collections.groundwork.kube.plugins.module_utils.program import run_program

if t.TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from ansible.module_utils.basic import AnsibleModule

KUBERNETES = "/etc/kubernetes"
OWN_DIRECTORY = "/etc/kubernetes/groundwork"
PATCHES = "/etc/kubernetes/groundwork/patches"
INIT_DOCUMENT = "/etc/kubernetes/groundwork/init.yaml"
JOIN_DOCUMENT = "/etc/kubernetes/groundwork/join.yaml"
# There only while an upgrade is under way, so one that is found tells of an upgrade that was killed.
UPGRADE_DOCUMENT = "/etc/kubernetes/groundwork/upgrade.yaml"
BACKUPS = "/etc/kubernetes/groundwork/backup"
PKI = "/etc/kubernetes/pki"
MANIFESTS = "/etc/kubernetes/manifests"
ADMIN_CONF = "/etc/kubernetes/admin.conf"
KUBELET_CONF = "/etc/kubernetes/kubelet.conf"
BOOTSTRAP_CONF = "/etc/kubernetes/bootstrap-kubelet.conf"
KUBELET = "/var/lib/kubelet"
ETCD_MEMBER = "/var/lib/etcd/member"

CONTROL_PLANE_COMPONENTS = ("kube-apiserver", "kube-controller-manager", "kube-scheduler")
CONTROL_PLANE_LABEL = "node-role.kubernetes.io/control-plane"

# kubeadm copies these into static pods; images are pulled by containerd, which has its own proxy settings.
PROXY_VARIABLES = ("http_proxy", "https_proxy", "no_proxy", "all_proxy")

_SECRETS = (
    re.compile(r"\b[a-z0-9]{6}\.[a-z0-9]{16}\b"),  # a bootstrap token
    re.compile(r"(?<![0-9a-f:])[0-9a-f]{64}(?![0-9a-f])"),  # a certificate key; a CA hash has "sha256:" before it
)
MASK = "********"


class KubeadmError(Exception):
    """A plain message for the operator, and what kubeadm printed."""

    def __init__(self, message: str, **details: t.Any) -> None:
        super().__init__(message)
        self.details = details


def redact(text: str) -> str:
    """Hide bootstrap tokens and certificate keys, whoever printed them."""
    for secret in _SECRETS:
        text = secret.sub(MASK, text)
    return text


def read(path: str) -> str:
    """The text of a file; empty when it is not there."""
    try:
        with open(path, encoding="utf-8") as file:
            return file.read()
    except (FileNotFoundError, NotADirectoryError):
        return ""


def present(path: str) -> bool:
    """A file with something in it. A kill can leave an empty one, which is as good as none."""
    return os.path.isfile(path) and os.path.getsize(path) > 0


def files_below(directory: str) -> list[str]:
    return sorted(
        os.path.relpath(os.path.join(parent, name), directory)
        for parent, _directories, names in os.walk(directory)
        for name in names
    )


def write(path: str, content: str, mode: int = 0o600) -> None:
    """Replace a file in one step, never readable by more than its mode says."""
    os.makedirs(os.path.dirname(path), mode=0o700, exist_ok=True)
    descriptor, temporary = tempfile.mkstemp(prefix=".groundwork-", dir=os.path.dirname(path))
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(content)
        os.chmod(temporary, mode)
        os.replace(temporary, path)
    except BaseException:
        os.unlink(temporary)
        raise


def set_aside(paths: Iterable[str]) -> str:
    """Move files into a dated backup directory and say where it is. Nothing is ever deleted."""
    directory = os.path.join(BACKUPS, time.strftime("%Y%m%dT%H%M%SZ", time.gmtime()))
    os.makedirs(directory, mode=0o700, exist_ok=True)
    for path in paths:
        if os.path.exists(path):
            shutil.move(path, os.path.join(directory, os.path.basename(path)))
    return directory


# Documents -----------------------------------------------------------------------------------------------------------


def split_documents(text: str) -> dict[str, str]:
    """A YAML stream as kubeadm reads it: kind to document."""
    documents: dict[str, str] = {}
    for document in re.split(r"^---[ \t]*(?:#.*)?$\n?", text, flags=re.MULTILINE):
        kind = re.search(r"^kind:[ \t]*[\"']?(\w+)", document, flags=re.MULTILINE)
        if kind:
            documents[kind.group(1)] = document.strip("\n") + "\n"
        elif document.strip():
            raise KubeadmError("a document of the kubeadm configuration has no `kind:` at the start of a line")
    return documents


def join_documents(documents: Mapping[str, str]) -> str:
    return "---\n".join(documents.values())


def flatten(canonical: str) -> dict[str, str]:
    """kubeadm's own canonical YAML as dotted path to scalar: ``networking.podSubnet`` to ``192.168.0.0/16``.

    Only for what kubeadm has printed itself (block style, two spaces): a node need not have PyYAML.
    """
    values: dict[str, str] = {}
    parents: list[tuple[int, str]] = []
    positions: dict[str, int] = {}
    for line in canonical.splitlines():
        stripped = line.lstrip(" ")
        if not stripped or stripped.startswith("#"):
            continue
        indent = len(line) - len(stripped)
        while stripped.startswith("- ") or stripped == "-":
            while parents and parents[-1][0] > indent:
                parents.pop()
            if parents and parents[-1][0] == indent and parents[-1][1].endswith("]"):
                parents.pop()
            owner = parents[-1][1] if parents else ""
            positions[owner] = positions.get(owner, -1) + 1
            parents.append((indent, f"{owner}[{positions[owner]}]"))
            stripped, indent = stripped[2:].lstrip(" "), indent + 2
        key, colon, value = stripped.partition(":")
        if not colon or (value and not value.startswith(" ")):
            if parents:
                values[parents[-1][1]] = _scalar(stripped)
            continue
        while parents and (parents[-1][0] >= indent or (parents[-1][0] == indent and not parents[-1][1].endswith("]"))):
            parents.pop()
        owner = parents[-1][1] if parents else ""
        path = f"{owner}.{key}" if owner else key
        if value.strip():
            values[path] = _scalar(value)
        else:
            parents.append((indent, path))
    return values


def _scalar(text: str) -> str:
    text = text.strip()
    return text[1:-1] if len(text) > 1 and text[0] == text[-1] and text[0] in "\"'" else text


def kubelet_flags(environment_file: str) -> list[str]:
    """The flags in a kubeadm-flags.env file."""
    match = re.search(r'^KUBELET_KUBEADM_ARGS="?(.*?)"?$', environment_file, flags=re.MULTILINE)
    return match.group(1).split() if match else []


def text_diff(before: str, after: str, name: str) -> dict[str, str]:
    return {
        "before": redact(before),
        "after": redact(after),
        "before_header": name,
        "after_header": name,
    }


def changed_lines(before: str, after: str) -> list[str]:
    """The lines that differ, each with its sign: for messages."""
    return [
        line
        for line in difflib.unified_diff(before.splitlines(), after.splitlines(), lineterm="", n=0)
        if line[:1] in "+-" and line[:3] not in ("+++", "---")
    ]


# Certificates --------------------------------------------------------------------------------------------------------


def _der(pem: str) -> bytes:
    body = re.search(r"-----BEGIN CERTIFICATE-----(.+?)-----END CERTIFICATE-----", pem, flags=re.DOTALL)
    if not body:
        raise KubeadmError("no certificate found in PEM text")
    return base64.b64decode("".join(body.group(1).split()))


def _elements(data: bytes) -> Iterator[tuple[int, bytes, bytes]]:
    """The elements of one level of DER: tag, content, and the whole element."""
    position = 0
    while position < len(data):
        tag, length, start = data[position], data[position + 1], position + 2
        if length & 0x80:
            size = length & 0x7F
            length = int.from_bytes(data[start : start + size], "big")
            start += size
        yield tag, data[start : start + length], data[position : start + length]
        position = start + length


def _certificate_fields(pem: str) -> list[tuple[int, bytes, bytes]]:
    certificate = next(_elements(_der(pem)))[1]
    fields = list(_elements(next(_elements(certificate))[1]))
    return fields[1:] if fields[0][0] == 0xA0 else fields  # without the explicit version


def public_key_hash(pem: str) -> str:
    """What ``--discovery-token-ca-cert-hash`` wants: the SHA-256 of the public key."""
    return "sha256:" + hashlib.sha256(_certificate_fields(pem)[5][2]).hexdigest()


def not_after(pem: str) -> str:
    """When the certificate ends, as ISO 8601."""
    tag, content, _whole = list(_elements(_certificate_fields(pem)[3][1]))[1]
    text = content.decode("ascii")
    layout = "%y%m%d%H%M%SZ" if tag == 0x17 else "%Y%m%d%H%M%SZ"
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.strptime(text, layout))


def subject_alternative_names(pem: str) -> list[str]:
    """The DNS names and IP addresses of a certificate, sorted."""
    extensions = next((content for tag, content, _whole in _certificate_fields(pem) if tag == 0xA3), b"")
    if not extensions:
        return []
    for _tag, extension, _whole in _elements(next(_elements(extensions))[1]):
        parts = list(_elements(extension))
        if parts[0][1] == b"\x55\x1d\x11":
            names = _elements(next(_elements(parts[-1][1]))[1])
            return sorted(_general_name(tag, content) for tag, content, _whole in names if tag in (0x82, 0x87))
    return []


def _general_name(tag: int, content: bytes) -> str:
    if tag == 0x82:
        return content.decode("ascii")
    import ipaddress

    return str(ipaddress.ip_address(content))


# kubeadm -------------------------------------------------------------------------------------------------------------


class Kubeadm:
    """The kubeadm on this node, and the lines an operator would have typed."""

    def __init__(self, module: AnsibleModule) -> None:
        self.module = module
        self.commands: list[str] = []
        # The node's lock: kubeadm inherits it, for the case that it outlives this module.
        self.lock: tuple[int, ...] = ()
        self.binary: str | None = module.get_bin_path("kubeadm", opt_dirs=["/usr/local/bin"])
        for name in PROXY_VARIABLES:
            os.environ.pop(name, None)
            os.environ.pop(name.upper(), None)

    @property
    def version(self) -> str:
        return self.ask("version", "--output", "short").strip()

    def ask(self, *arguments: str, environment: Mapping[str, str] | None = None) -> str:
        """Run kubeadm for its answer; changes nothing, so it is not among the commands."""
        return self._run(arguments, environment)

    def act(self, *arguments: str) -> str:
        """Run kubeadm for its effect."""
        self.commands.append(redact("kubeadm " + " ".join(arguments)))
        return self._run(arguments, None)

    def _run(self, arguments: Sequence[str], environment: Mapping[str, str] | None) -> str:
        if not self.binary:
            raise KubeadmError("kubeadm is not installed on this node: run the `packages` step of role kubeadm first")
        rc, out, err = run_program(self.module, [self.binary, *arguments], environment=environment, pass_fds=self.lock)
        if rc != 0:
            reason = redact(err.strip() or out.strip())
            command = redact("kubeadm " + " ".join(arguments))
            raise KubeadmError(
                f"`{command}` failed: {reason}",
                rc=rc,
                stdout=redact(out),
                stderr=redact(err),
            )
        return str(out)

    def canonical(self, text: str) -> dict[str, str]:
        """The documents as kubeadm understands them: every default filled in, every key in order."""
        with self.files(text) as files:
            return split_documents(self.ask("config", "migrate", "--old-config", files.document))

    def static_pods(self, text: str, patches: Mapping[str, str]) -> dict[str, str]:
        """The control plane's static pod manifests kubeadm would write here: component to text."""
        made = self._dry_run(split_documents(text), patches, "control-plane", "all")
        return {component: made[component + ".yaml"] for component in CONTROL_PLANE_COMPONENTS}

    def kubelet_files(self, text: str, patches: Mapping[str, str]) -> dict[str, str]:
        """The files in /var/lib/kubelet kubeadm would write here: name to text."""
        # On a worker kubeadm would take ca.crt without its key for an external authority.
        elsewhere = os.path.join(self.module.tmpdir, "no-pki")
        documents, pki = self._with(text, certificatesDir=elsewhere)
        made = self._dry_run(documents, patches, "kubelet-start")
        return {
            name: made[name].replace(elsewhere, pki["certificatesDir"])
            for name in ("config.yaml", "instance-config.yaml", "kubeadm-flags.env")
            if name in made
        }

    def apiserver_names(self, text: str) -> list[str]:
        """The names kubeadm would put into the API server's certificate here."""
        with self.files("") as files:
            # Only the names are wanted, not the certificates there are; the quickest key will do.
            elsewhere = os.path.join(self.module.tmpdir, "no-pki")
            documents, _former = self._with(text, certificatesDir=elsewhere, encryptionAlgorithm="ECDSA-P256")
            write(files.document, join_documents(documents))
            for certificate in ("ca", "apiserver"):
                self.ask(
                    *("init", "phase", "certs", certificate, "--config", files.document, "--dry-run"),
                    environment={"KUBEADM_INIT_DRYRUN_DIR": files.output},
                )
            return subject_alternative_names(read(os.path.join(files.output, "apiserver.crt")))

    def _with(self, text: str, **settings: str) -> tuple[dict[str, str], dict[str, str]]:
        """The documents with top-level settings of ClusterConfiguration replaced, and what these were."""
        canonical = self.canonical(text)["ClusterConfiguration"]
        former = {name: flatten(canonical)[name] for name in settings}
        for name, value in settings.items():
            canonical = re.sub(rf"^{name}: .*$", f"{name}: {value}", canonical, flags=re.MULTILINE)
        return {**split_documents(text), "ClusterConfiguration": canonical}, former

    def addon_manifest(self, text: str, addon: str) -> str:
        with self.files(text) as files:
            return self.ask("init", "phase", "addon", addon, "--config", files.document, "--print-manifest")

    def _dry_run(self, documents: Mapping[str, str], patches: Mapping[str, str], *phase: str) -> dict[str, str]:
        with self.files("", patches) as files:
            # kubeadm takes no --patches beside --config, and the real directory may not hold these patches yet.
            # Not the canonical form: there kubeadm writes a timeout of the control plane as 0s and then believes it.
            node = re.sub(r"^patches:.*\n(?:[ \t]+.*\n)*", "", documents["InitConfiguration"], flags=re.MULTILINE)
            node += f"patches:\n  directory: {files.patches}\n"
            write(files.document, join_documents({**documents, "InitConfiguration": node}))
            self.ask(
                *("init", "phase", *phase, "--config", files.document, "--dry-run"),
                environment={"KUBEADM_INIT_DRYRUN_DIR": files.output},
            )
            return {name: read(os.path.join(files.output, name)) for name in files_below(files.output)}

    def files(self, text: str, patches: Mapping[str, str] | None = None) -> Files:
        return Files(self.module.tmpdir, text, patches or {})


class Files:
    """A document, its patches and an output directory, for the time of one question to kubeadm."""

    def __init__(self, parent: str, text: str, patches: Mapping[str, str]) -> None:
        self._directory = tempfile.mkdtemp(prefix="kubeadm-", dir=parent)
        self.document = os.path.join(self._directory, "kubeadm.yaml")
        self.patches = os.path.join(self._directory, "patches")
        self.output = os.path.join(self._directory, "output")
        os.mkdir(self.patches, 0o700)
        os.mkdir(self.output, 0o700)
        write(self.document, text)
        for name, content in patches.items():
            write(os.path.join(self.patches, name), content)

    def __enter__(self) -> Files:
        return self

    def __exit__(self, *exception: object) -> None:
        shutil.rmtree(self._directory, ignore_errors=True)


def place_patches(patches: Mapping[str, str], check_mode: bool = False) -> list[dict[str, str]]:
    """Make the patches directory hold exactly these files; return the diff."""
    diff = []
    for name in sorted(set(files_below(PATCHES)) | set(patches)):
        path = os.path.join(PATCHES, name)
        before, after = read(path), patches.get(name, "")
        if before == after:
            continue
        diff.append(text_diff(before, after, path))
        if check_mode:
            continue
        if name in patches:
            write(path, after)
        else:
            os.unlink(path)
    if not check_mode:
        os.makedirs(PATCHES, mode=0o700, exist_ok=True)
    return diff


def run_with_kubeadm(module: AnsibleModule, deed: str, body: Callable[[Kubeadm], dict[str, t.Any]]) -> None:
    """Do a module's work under the node's lock and report it; every failure is told in the operator's terms."""
    kubeadm = Kubeadm(module)
    try:
        with node_lock(module, deed) as kubeadm.lock:
            result = body(kubeadm)
    except KubeadmError as error:
        module.fail_json(msg=str(error), commands=kubeadm.commands, **error.details)
    except ApiError as error:
        module.fail_json(msg=str(error), reason=error.reason, status=error.status, commands=kubeadm.commands)
    module.exit_json(**{"commands": kubeadm.commands, **result})


# The API -------------------------------------------------------------------------------------------------------------


def connect(kubeconfig: str, server: str | None = None, patience: float = 0) -> ApiClient:
    """The API with the credentials of a file on this node, by this node's own server when one is named."""
    return ApiClient(resolve_access({"kubeconfig": kubeconfig, "host": server}), timeout=10, patience=patience)


def local_server(canonical_init: str) -> str:
    """This control plane's own API server: the load balancer in front may not know it yet."""
    values = flatten(canonical_init)
    address = values["localAPIEndpoint.advertiseAddress"]
    host = f"[{address}]" if ":" in address else address
    return f"https://{host}:{values['localAPIEndpoint.bindPort']}"


def answers(kubeconfig: str, server: str | None, known: bool = True) -> bool:
    """Whether the API answers, and (unless told that it need not) lets these credentials read."""
    try:
        connect(kubeconfig, server).get("/api/v1/namespaces/kube-system")
    except ApiUnreachableError:
        return False
    except ApiError:
        return not known
    return True


def node_seen_by_kubelet(node_name: str) -> bool | None:
    """Whether the cluster has this node's object; None when it refuses the kubelet's credentials."""
    try:
        return connect(KUBELET_CONF).get("/api/v1/nodes/" + node_name) is not None
    except ApiUnreachableError:
        raise
    except ApiError as error:
        if error.status in (401, 403):
            return None
        raise


def wait_until_registered(module: AnsibleModule, node_name: str, timeout: float) -> None:
    """A kubelet registers its node when it starts, and only then."""

    def registered() -> bool:
        try:
            return bool(node_seen_by_kubelet(node_name))
        except ApiError:
            return False

    if not wait_until(registered, timeout):
        raise KubeadmError(
            f"the kubelet of this node runs, but the cluster has no Node {node_name} after {timeout} s: look at the "
            "kubelet's journal",
            **evidence(module),
        )


def config_map(api: ApiClient, name: str, key: str) -> str:
    found = api.get("/api/v1/namespaces/kube-system/configmaps/" + name)
    return str((found or {}).get("data", {}).get(key, ""))


# The node ------------------------------------------------------------------------------------------------------------


def wait_until(check: Callable[[], bool], timeout: float, pause: float = 0.3) -> bool:
    deadline = time.monotonic() + timeout
    while not check():
        if time.monotonic() > deadline:
            return False
        time.sleep(pause)
    return True


def unit_is_active(module: AnsibleModule, unit: str) -> bool:
    return run_program(module, ["systemctl", "is-active", "--quiet", unit])[0] == 0


def restart_kubelet(kubeadm: Kubeadm) -> None:
    kubeadm.commands.append("systemctl restart kubelet")
    rc, out, err = run_program(kubeadm.module, ["systemctl", "restart", "kubelet"])
    if rc != 0:
        raise KubeadmError(f"`systemctl restart kubelet` failed: {(err or out).strip()}")


def kubelet_is_healthy(port: int = 10248) -> bool:
    import http.client

    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=2)
    try:
        connection.request("GET", "/healthz")
        return connection.getresponse().status == 200
    except OSError:
        return False
    finally:
        connection.close()


def evidence(module: AnsibleModule, lines: int = 20) -> dict[str, t.Any]:
    """What an operator would look at next: the kubelet's journal and the logs of static pods that ended badly."""
    found: dict[str, t.Any] = {}
    rc, out, _err = run_program(module, ["journalctl", "--unit", "kubelet", "--no-pager", "--lines", str(lines)])
    if rc == 0 and out.strip():
        found["kubelet_log"] = redact(out).splitlines()
    pods = "/var/log/pods"
    logs = [
        os.path.join(pods, name)
        for name in files_below(pods)
        if name.startswith("kube-system_") and name.endswith(".log")
    ]
    newest: dict[str, str] = {}
    for log in sorted(logs, key=os.path.getmtime):
        newest[os.path.basename(os.path.dirname(log))] = log
    static = (*CONTROL_PLANE_COMPONENTS, "etcd")
    found["container_logs"] = {
        container: redact(read(log)).splitlines()[-lines:] for container, log in newest.items() if container in static
    }
    return {name: value for name, value in found.items() if value}
