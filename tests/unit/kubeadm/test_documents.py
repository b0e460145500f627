"""What the modules learn from kubeadm itself."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.testing import patch_module_args

from ansible_collections.groundwork.kube.plugins.module_utils import kubeadm as k

from .conftest import Node


@pytest.fixture
def kubeadm(node: Node, tmp_path: Path) -> Iterator[k.Kubeadm]:
    (tmp_path / "remote").mkdir()
    with patch_module_args({"_ansible_remote_tmp": str(tmp_path / "remote"), "_ansible_keep_remote_files": False}):
        yield k.Kubeadm(AnsibleModule(argument_spec={}))


def test_a_bootstrap_token_and_a_certificate_key_are_masked_and_a_ca_hash_is_not() -> None:
    digest = "sha256:" + "a" * 64
    text = f"kubeadm join api:6443 --token abcdef.0123456789abcdef --certificate-key {'0' * 64} --hash {digest}"
    assert k.redact(text) == f"kubeadm join api:6443 --token ******** --certificate-key ******** --hash {digest}"


def test_flatten_reads_kubeadms_own_yaml(kubeadm: k.Kubeadm, node: Node) -> None:
    document = node.document(sans="[one.example, 10.0.0.9]", apiserver_args='[{name: v, value: "2"}]')
    values = k.flatten(kubeadm.canonical(document)["ClusterConfiguration"])
    assert values["networking.podSubnet"] == "192.168.0.0/16"
    assert values["apiServer.certSANs[1]"] == "10.0.0.9"
    assert values["apiServer.extraArgs[0].name"] == "v"
    assert values["apiServer.extraArgs[0].value"] == "2"
    assert values["etcd.local.dataDir"] == "/var/lib/etcd"


def test_a_document_without_a_kind_is_refused() -> None:
    with pytest.raises(k.KubeadmError, match="no `kind:`"):
        k.split_documents("a: 1\n")


def test_an_error_of_kubeadm_reaches_the_user(kubeadm: k.Kubeadm, node: Node) -> None:
    with pytest.raises(k.KubeadmError, match="podSubnet"):
        kubeadm.canonical(node.document(pod_subnet="not-a-network"))


def test_an_empty_list_and_an_absent_one_are_the_same_document(kubeadm: k.Kubeadm, node: Node) -> None:
    document = node.document()
    assert (
        kubeadm.canonical(document)["ClusterConfiguration"]
        == (
            kubeadm.canonical(document.replace("apiServer: {certSANs: [], extraArgs: []}\n", ""))[
                "ClusterConfiguration"
            ]
        )
    )


def test_the_kubelets_files_are_those_kubeadm_makes_also_on_a_worker(kubeadm: k.Kubeadm, node: Node) -> None:
    node.phase("certs", "ca")
    # A worker has the authority's certificate and not its key, which kubeadm elsewhere takes for an external authority.
    (node.kubernetes / "pki/ca.key").unlink()
    patches = {"kubeletconfiguration0+strategic.yaml": "kubeReserved: {memory: 100Mi}\n"}
    files = kubeadm.kubelet_files(node.document(max_pods=42), patches)
    values = k.flatten(files["config.yaml"])
    assert values["maxPods"] == "42"
    assert values["kubeReserved.memory"] == "100Mi"
    assert values["authentication.x509.clientCAFile"] == f"{node.kubernetes}/pki/ca.crt"
    assert k.kubelet_flags(files["kubeadm-flags.env"]) == ["--hostname-override=k8s-master"]


def test_static_pods_are_those_kubeadm_writes_for_the_same_document(kubeadm: k.Kubeadm, node: Node) -> None:
    node.phase("certs", "all")
    document = node.document(apiserver_args='[{name: v, value: "2"}]')
    output = node.write("output/none").parent
    file = node.write("document.yaml", document)
    subprocess.run(
        [node.kubeadm, "init", "phase", "control-plane", "all", "--config", file, "--dry-run"],
        env={"KUBEADM_INIT_DRYRUN_DIR": str(output)},
        check=True,
        capture_output=True,
    )
    made = kubeadm.static_pods(document + "\n", {})
    assert made == {name: (output / f"{name}.yaml").read_text() for name in k.CONTROL_PLANE_COMPONENTS}


def test_patches_that_are_not_on_the_node_yet_count(kubeadm: k.Kubeadm, node: Node) -> None:
    document = node.document().replace("localAPIEndpoint", "patches: {directory: /nowhere}\nlocalAPIEndpoint")
    patches = {"kube-scheduler+merge.yaml": "metadata: {annotations: {patched: by-us}}\n"}
    assert "patched: by-us" in kubeadm.static_pods(document, patches)["kube-scheduler"]


def test_names_hash_and_end_of_a_certificate_are_those_openssl_reads(kubeadm: k.Kubeadm, node: Node) -> None:
    node.phase("certs", "ca")
    node.phase("certs", "apiserver", document=node.document(sans="[one.example]"))
    certificate = (node.kubernetes / "pki/apiserver.crt").read_text()
    names = k.subject_alternative_names(certificate)
    assert {"one.example", "10.96.0.1", "10.77.0.11", "api.kubernetes.internal", "k8s-master"} <= set(names)
    assert kubeadm.apiserver_names(node.document(sans="[one.example]")) == names
    key = subprocess.run(
        "openssl x509 -pubkey -noout | openssl pkey -pubin -outform der | openssl dgst -sha256 -r",
        shell=True,
        input=certificate,
        capture_output=True,
        text=True,
        check=True,
    )
    assert k.public_key_hash(certificate) == "sha256:" + key.stdout.split()[0]
    end = subprocess.run(
        ["openssl", "x509", "-noout", "-enddate", "-dateopt", "iso_8601"],
        input=certificate,
        capture_output=True,
        text=True,
        check=True,
    )
    assert k.not_after(certificate).replace("T", " ") == end.stdout.strip().partition("=")[2]


def test_a_secret_file_is_never_readable_by_others(tmp_path: Path) -> None:
    k.write(str(tmp_path / "deep/secret"), "x")
    assert (tmp_path / "deep/secret").stat().st_mode & 0o777 == 0o600
