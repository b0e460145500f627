"""Images of what grows on a cluster: Argo CD, the add-ons, and a stand-in for applications."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from lab.artifacts import LAB, Versions
from lab.images import MERGED_USR, Image, Layer, find, with_libraries

NOBODY = "65532"
# The release before the pinned one, so that there is something to upgrade from.
FORMER_ECHO = "1.0.0"
# The names that Argo CD's one binary is called by.
ARGOCD_NAMES = (
    "application-controller",
    "applicationset-controller",
    "cmp-server",
    "commit-server",
    "dex",
    "k8s-auth",
    "notifications",
    "repo-server",
    "server",
)
# What Argo CD and git call, and what its manifests' init containers do.
ARGOCD_TOOLS = (
    *(
        f"usr/bin/{name}"
        for name in (
            "basename",
            "cat",
            "chmod",
            "cp",
            "dash",
            "dirname",
            "env",
            "git",
            "gpg",
            "gpg-agent",
            "gpgconf",
            "grep",
            "id",
            "ln",
            "ls",
            "mkdir",
            "mv",
            "rm",
            "sed",
            "sleep",
            "ssh",
            "tini",
            "tr",
            "uname",
        )
    ),
    "usr/lib/git-core/git-remote-http",
    "usr/lib/git-core/git-sh-i18n--envsubst",
)
ARGOCD_SCRIPTS = (
    *(f"usr/lib/git-core/{name}" for name in ("git-sh-i18n", "git-sh-setup", "git-submodule")),
    "etc/ssl/certs/ca-certificates.crt",
)
ARGOCD_WRAPPERS = ("entrypoint.sh", "git-verify-wrapper.sh", "gpg-wrapper.sh")
# What pods that prepare volumes call, and a person who looks into one.
BUSYBOX_COMMANDS = ("cat", "df", "ls", "mkdir", "mv", "rm", "sh", "sleep", "sync", "touch")
CERT_MANAGER_COMMANDS = ("acmesolver", "cainjector", "controller", "startupapicheck", "webhook")

FindBinary = Callable[[str], Path]


def platform_images(
    versions: Versions, binary: FindBinary, wrapper: FindBinary, roots: tuple[Path, ...], architecture: str
) -> tuple[Image, ...]:
    """Under the names that manifests and charts use; `wrapper` finds a script that came with Argo CD's module."""
    return (
        argocd_image(versions, binary, wrapper, roots, architecture),
        redis_image(roots, architecture),
        dex_image(),
        *cert_manager_images(versions, binary),
        *(
            Image(
                f"metallb/{name}",
                f"v{versions.metallb}",
                (Layer({name: binary(f"metallb-{name}")}),),
                entrypoint=(f"/{name}",),
            )
            for name in ("controller", "speaker")
        ),
        Image(
            "metrics-server/metrics-server",
            f"v{versions.metrics_server}",
            (Layer({"metrics-server": binary("metrics-server")}, directories={"tmp": 0o1777}),),
            entrypoint=("/metrics-server",),
            user=NOBODY,
        ),
        Image(
            "external-secrets/external-secrets",
            f"v{versions.external_secrets}",
            (Layer({"bin/external-secrets": binary("external-secrets")}, directories={"tmp": 0o1777}),),
            entrypoint=("/bin/external-secrets",),
            user=NOBODY,
        ),
        Image(
            "rancher/local-path-provisioner",
            f"v{versions.local_path_provisioner}",
            (Layer({"usr/bin/local-path-provisioner": binary("local-path-provisioner")}),),
            entrypoint=("/usr/bin/local-path-provisioner",),
        ),
        busybox_image(roots),
        openbao_image(versions, binary),
        *echo_images(versions, binary),
    )


def argocd_image(
    versions: Versions, binary: FindBinary, wrapper: FindBinary, roots: tuple[Path, ...], architecture: str
) -> Image:
    layer = Layer(
        {
            **with_libraries(ARGOCD_TOOLS, roots, architecture),
            **{path: find(path, roots) for path in ARGOCD_SCRIPTS},
            **{f"usr/local/bin/{name}": binary(name) for name in ("argocd", "helm", "kustomize")},
            **{f"usr/local/bin/{name}": wrapper(name) for name in ARGOCD_WRAPPERS},
            **{f"etc/{name}": LAB / f"files/argocd-{name}" for name in ("group", "passwd")},
        },
        links={
            **MERGED_USR,
            "etc/ssh/ssh_known_hosts": "/app/config/ssh/ssh_known_hosts",
            "usr/bin/sh": "dash",
            "usr/lib/git-core/git-remote-https": "git-remote-http",
            **{f"usr/local/bin/argocd-{name}": "argocd" for name in ARGOCD_NAMES},
        },
        directories={
            "app/config/gpg/keys": 0o777,
            "app/config/gpg/source": 0o755,
            "app/config/ssh": 0o755,
            "app/config/tls": 0o755,
            "home/argocd": 0o777,
            "tmp": 0o1777,
            "usr/share/git-core/templates": 0o755,
        },
    )
    return Image(
        "argoproj/argocd",
        f"v{versions.argocd}",
        (layer,),
        entrypoint=("/usr/bin/tini", "--"),
        user="999",
        working_directory="/home/argocd",
        environment={"USER": "argocd", "GRPC_ENABLE_TXT_SERVICE_CONFIG": "false"},
    )


def redis_image(roots: tuple[Path, ...], architecture: str) -> Image:
    """Debian's Redis, under the name that this Argo CD's manifests have."""
    programs = with_libraries(("usr/bin/redis-server", "usr/bin/redis-cli"), roots, architecture)
    return Image(
        "docker/library/redis",
        "8.2.3-alpine",
        (Layer(programs, links=MERGED_USR, directories={"data": 0o777, "tmp": 0o1777}),),
        entrypoint=("/usr/bin/redis-server",),
        user="999",
        working_directory="/data",
    )


def dex_image() -> Image:
    """Nobody signs in through others here: Argo CD's own process, which waits for a configuration, finds a `dex`."""
    return Image(
        "dexidp/dex",
        "v2.45.1",
        (Layer({"usr/local/bin/dex": LAB / "files/dex"}, directories={"tmp": 0o1777}),),
        entrypoint=("/usr/local/bin/dex",),
        user="1001",
    )


def cert_manager_images(versions: Versions, binary: FindBinary) -> tuple[Image, ...]:
    """One binary in one layer, told which of the five commands to be."""
    layer = Layer({"cert-manager": binary("cert-manager")}, directories={"tmp": 0o1777})
    return tuple(
        Image(
            f"jetstack/cert-manager-{command}",
            f"v{versions.cert_manager}",
            (layer,),
            entrypoint=("/cert-manager", command),
            user="1000",
        )
        for command in CERT_MANAGER_COMMANDS
    )


def busybox_image(roots: tuple[Path, ...]) -> Image:
    """Debian's, which is linked against nothing."""
    links = {f"bin/{command}": "busybox" for command in BUSYBOX_COMMANDS}
    layer = Layer({"bin/busybox": find("usr/bin/busybox", roots)}, links=links, directories={"tmp": 0o1777})
    return Image("library/busybox", "1.37.0", (layer,), entrypoint=("/bin/sh",))


def openbao_image(versions: Versions, binary: FindBinary) -> Image:
    """Its server alone: no shell, no tool."""
    return Image(
        "openbao/openbao",
        versions.openbao,
        (Layer({"bin/bao": binary("openbao")}, directories={"openbao/data": 0o777, "tmp": 0o1777}),),
        entrypoint=("/bin/bao",),
        user="100",
    )


def echo_images(versions: Versions, binary: FindBinary) -> tuple[Image, ...]:
    """One layer again: two releases, and one that never gets ready."""
    layer = Layer({"echo": binary("echo")})
    settings = {
        FORMER_ECHO: {"VERSION": FORMER_ECHO},
        versions.echo: {"VERSION": versions.echo},
        "broken": {"VERSION": "broken", "READY": "false"},
    }
    return tuple(
        Image("groundwork/echo", tag, (layer,), entrypoint=("/echo",), user=NOBODY, environment=environment)
        for tag, environment in settings.items()
    )
