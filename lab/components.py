"""What is compiled from Go modules: one row a component, its pins beside it in components/NAME/go.mod and go.sum."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from lab.errors import LabError

KUBERNETES_VERSION_STAMPS = {
    f"{package}.{variable}": value
    for package in ("k8s.io/component-base/version", "k8s.io/client-go/pkg/version")
    for variable, value in {
        "gitVersion": "v{version}",
        "gitMajor": "{major}",
        "gitMinor": "{minor}",
        "gitTreeState": "clean",
    }.items()
}


@dataclass(frozen=True)
class Component:
    """A Go module whose binaries the lab builds."""

    name: str
    module: str
    """The module whose version is the component's."""
    binaries: Mapping[str, str]
    """Name of the binary: its Go package."""
    tags: tuple[str, ...] = ()
    stamps: Mapping[str, str] = field(default_factory=dict)
    """Variables set at link time, so that a binary says its version."""
    shared_files: tuple[str, ...] = ()
    """Files of the module, not compiled, that the lab uses too."""
    shared_directories: tuple[str, ...] = field(default=(), repr=False)
    """And whole directories, under the paths that they have there."""
    disk_mib: int = field(default=0, repr=False)
    """Room for its modules, their compiled packages and its binaries, measured."""

    def link_flags(self, version: str) -> str:
        major, minor = version.split(".")[:2]
        stamps = (
            f"-X {variable}={value.format(version=version, major=major, minor=minor)}"
            for variable, value in self.stamps.items()
        )
        return " ".join(["-s -w", *stamps])


COMPONENTS = (
    Component(
        name="kubernetes",
        module="k8s.io/kubernetes",
        binaries={
            **{
                name: f"k8s.io/kubernetes/cmd/{name}"
                for name in (
                    "kube-apiserver",
                    "kube-controller-manager",
                    "kube-proxy",
                    "kube-scheduler",
                    "kubeadm",
                    "kubectl",
                    "kubelet",
                )
            },
            "agnhost": "k8s.io/kubernetes/test/images/agnhost",
        },
        stamps=KUBERNETES_VERSION_STAMPS,
        shared_files=("build/pause/linux/pause.c",),
        disk_mib=5000,
    ),
    Component(
        name="etcd",
        module="go.etcd.io/etcd/server/v3",
        binaries={
            "etcd": "go.etcd.io/etcd/server/v3",
            "etcdctl": "go.etcd.io/etcd/etcdctl/v3",
            "etcdutl": "go.etcd.io/etcd/etcdutl/v3",
        },
        disk_mib=500,
    ),
    Component(
        name="containerd",
        module="github.com/containerd/containerd/v2",
        binaries={
            name: f"github.com/containerd/containerd/v2/cmd/{name}"
            for name in ("containerd", "containerd-shim-runc-v2", "ctr")
        },
        tags=("no_btrfs", "no_devmapper", "no_zfs"),
        stamps={"github.com/containerd/containerd/v2/version.Version": "v{version}"},
        disk_mib=1000,
    ),
    Component(
        name="cni-plugins",
        module="github.com/containernetworking/plugins",
        binaries={
            name: f"github.com/containernetworking/plugins/plugins/{kind}/{name}"
            for kind, names in {
                "ipam": ("host-local",),
                "main": ("bridge", "loopback"),
                "meta": ("bandwidth", "portmap", "tuning"),
            }.items()
            for name in names
        },
        stamps={"github.com/containernetworking/plugins/pkg/utils/buildversion.BuildVersion": "v{version}"},
        disk_mib=200,
    ),
    Component(
        name="coredns",
        module="github.com/coredns/coredns",
        binaries={"coredns": "github.com/coredns/coredns"},
        disk_mib=1500,
    ),
    Component(
        name="calico",
        module="github.com/projectcalico/calico",
        binaries={
            "calico-node": "github.com/projectcalico/calico/node/cmd/calico-node",
            "calico-typha": "github.com/projectcalico/calico/typha/cmd/calico-typha",
            "kube-controllers": "github.com/projectcalico/calico/kube-controllers/cmd/kube-controllers",
            "check-status": "github.com/projectcalico/calico/kube-controllers/cmd/check-status",
            "calico-cni": "groundwork.lab/calico/calico-cni",
        },
        stamps={
            "main.VERSION": "v{version}",
            "github.com/projectcalico/calico/node/buildinfo.GitVersion": "v{version}",
            "github.com/projectcalico/calico/node/pkg/lifecycle/startup.VERSION": "v{version}",
            "github.com/projectcalico/calico/typha/pkg/buildinfo.GitVersion": "v{version}",
        },
        shared_files=tuple(
            f"manifests/{name}"
            for name in ("calico.yaml", "calico-typha.yaml", "calico-vxlan.yaml", "tigera-operator.yaml")
        ),
        disk_mib=1800,
    ),
    Component(
        name="argocd",
        module="github.com/argoproj/argo-cd/v3",
        # One binary: the name it is called by chooses what it is. Its web interface is not compiled.
        binaries={"argocd": "github.com/argoproj/argo-cd/v3/cmd"},
        stamps={
            f"github.com/argoproj/argo-cd/v3/common.{variable}": value
            for variable, value in {
                "version": "{version}",
                "gitTag": "v{version}",
                "gitCommit": "unknown",
                "gitTreeState": "clean",
            }.items()
        },
        shared_files=("entrypoint.sh", "hack/git-verify-wrapper.sh", "hack/gpg-wrapper.sh"),
        shared_directories=("manifests",),
        disk_mib=4000,
    ),
    Component(
        name="kustomize",
        module="sigs.k8s.io/kustomize/kustomize/v5",
        binaries={"kustomize": "sigs.k8s.io/kustomize/kustomize/v5"},
        stamps={"sigs.k8s.io/kustomize/api/provenance.version": "v{version}"},
        disk_mib=200,
    ),
    Component(
        name="cert-manager",
        module="github.com/cert-manager/cert-manager",
        binaries={"cert-manager": "github.com/cert-manager/cert-manager/groundwork"},
        stamps={"github.com/cert-manager/cert-manager/pkg/util.AppVersion": "v{version}"},
        shared_directories=("deploy/charts/cert-manager",),
        disk_mib=1500,
    ),
    Component(
        name="metallb",
        module="go.universe.tf/metallb",
        binaries={f"metallb-{name}": f"go.universe.tf/metallb/{name}" for name in ("controller", "speaker")},
        shared_directories=("charts/metallb",),
        disk_mib=1000,
    ),
    Component(
        name="metrics-server",
        module="sigs.k8s.io/metrics-server",
        binaries={"metrics-server": "sigs.k8s.io/metrics-server/cmd/metrics-server"},
        stamps={"k8s.io/client-go/pkg/version.gitVersion": "v{version}"},
        shared_directories=("charts/metrics-server",),
        disk_mib=1000,
    ),
    Component(
        name="external-secrets",
        module="github.com/external-secrets/external-secrets",
        binaries={"external-secrets": "github.com/external-secrets/external-secrets"},
        shared_directories=("deploy/charts/external-secrets", "deploy/crds"),
        disk_mib=3000,
    ),
    Component(
        name="local-path-provisioner",
        module="github.com/rancher/local-path-provisioner",
        binaries={"local-path-provisioner": "github.com/rancher/local-path-provisioner"},
        stamps={"main.VERSION": "v{version}"},
        shared_directories=("deploy/chart/local-path-provisioner",),
        disk_mib=600,
    ),
    Component(name="echo", module="groundwork.lab/echo", binaries={"echo": "groundwork.lab/echo"}, disk_mib=50),
)


def component_named(name: str) -> Component:
    return next(component for component in COMPONENTS if component.name == name)


# What an upgrade of the lab's Kubernetes brings, each with pins of its own. Built only when asked for.
NEXT = "-next"
NEXT_COMPONENTS = tuple(
    replace(
        component,
        name=component.name + NEXT,
        binaries={name: package for name, package in component.binaries.items() if name != "agnhost"},
        shared_files=(),
    )
    for component in map(component_named, ("kubernetes", "etcd", "coredns"))
)


def component_with_binary(name: str) -> Component:
    for component in COMPONENTS:
        if name in component.binaries:
            return component
    raise LabError(f"the lab builds no {name}")
