"""What every test may use: modules run as Ansible runs them, through main(), and a real API server."""

from __future__ import annotations

import contextlib
import gc
import importlib
import io
import json
from collections.abc import Callable, Iterator
from types import ModuleType
from typing import Any

import pytest
from ansible.module_utils import _internal
from ansible.module_utils.common import warnings
from ansible.module_utils.testing import patch_module_args

from lab.api import ApiServer

MODULES = "ansible_collections.groundwork.kube.plugins.modules"


def _printed_result(module: ModuleType) -> dict[str, Any]:
    printed = io.StringIO()
    try:
        with contextlib.redirect_stdout(printed), pytest.raises(SystemExit) as stopped:
            module.main()
    finally:
        # A module may do without it for the process that ends with it, which this one does not.
        gc.enable()
    result: dict[str, Any] = json.loads(printed.getvalue())
    result.setdefault("failed", stopped.value.code not in (0, None))
    return result


@pytest.fixture
def run_module(monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> Callable[..., dict[str, Any]]:
    """Run a module (its name in plugins/modules, or the imported module) and return the result it prints.

    A failing module returns its result too, with ``failed`` set.
    """

    def run(module: ModuleType | str, args: dict[str, Any], check: bool = False, diff: bool = False) -> dict[str, Any]:
        if isinstance(module, str):
            module = importlib.import_module(f"{MODULES}.{module}")
        # Tests of action plugins make this process a controller, where warnings are printed instead of returned.
        monkeypatch.setattr(_internal, "is_controller", False)
        # ansible-core collects warnings per process, which for a real module is per run.
        monkeypatch.setattr(warnings, "_global_warnings", {})
        monkeypatch.setattr(warnings, "_global_deprecations", {})
        internal = {
            "_ansible_check_mode": check,
            "_ansible_diff": diff,
            "_ansible_remote_tmp": str(tmp_path / "remote"),
            "_ansible_keep_remote_files": False,
        }
        with patch_module_args({**args, **internal}):
            return _printed_result(module)

    return run


@pytest.fixture(scope="session")
def api_server() -> Iterator[ApiServer]:
    """A real kube-apiserver and etcd, one for the whole session."""
    with ApiServer() as server:
        yield server
