# Copyright (c) 2026 Groundwork founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: helm_template
author: Groundwork founders (@groundwork)
version_added: 0.1.0
short_description: The objects that Helm makes of a chart
description:
  - Renders charts on the controller, which needs C(helm), for M(groundwork.kube.manifests) to apply, without hooks.
  - >-
    Unlike M(kubernetes.core.helm_template), which leaves a chart's values in a file and shows them at higher verbosity,
    this hands them to Helm and to nobody else.
options:
  _terms:
    description: The charts, each a path, an address (C(oci://…)), or a name in O(repository).
    type: list
    elements: str
    required: true
  repository:
    description: The address of the repository in which a name is looked up.
    type: str
  version:
    description: The chart's version.
    type: str
  release:
    description: The name of the release, of which charts make their objects' names.
    type: str
    required: true
  namespace:
    description: The release's namespace.
    type: str
    required: true
  values:
    description: What differs from the chart's own values.
    type: dict
    default: {}
  include_crds:
    description: Whether the chart's own CustomResourceDefinitions are among the objects.
    type: bool
    default: false
"""

EXAMPLES = r"""
- name: Apply the driver
  groundwork.kube.manifests:
    content: >-
      {{ lookup('groundwork.kube.helm_template', 'aws-ebs-csi-driver', version='2.64.0',
                repository='https://kubernetes-sigs.github.io/aws-ebs-csi-driver',
                release='aws-ebs-csi-driver', namespace='kube-system') }}
"""

RETURN = r"""
_raw:
  description: The objects of each chart, as YAML.
  type: list
  elements: str
"""

import subprocess
from collections.abc import Mapping
from typing import Any

from ansible.errors import AnsibleError
from ansible.plugins.filter.core import to_json
from ansible.plugins.lookup import LookupBase


class LookupModule(LookupBase):
    def run(self, terms: list[str], variables: Any = None, **options: Any) -> list[str]:  # noqa: ARG002
        return [_rendered(chart, **options) for chart in terms]


def _rendered(
    chart: str,
    release: str,
    namespace: str,
    repository: str = "",
    version: str = "",
    values: Mapping[str, Any] | None = None,
    include_crds: bool = False,
) -> str:
    found = {"namespace": namespace, "version": version, "repo": "" if "/" in chart else repository}
    command = ["helm", "template", release, chart, "--no-hooks", "--values=-"]
    command += [f"--{option}={value}" for option, value in found.items() if value]
    command += ["--include-crds"] if include_crds else []
    try:
        done = subprocess.run(command, input=to_json(values or {}), capture_output=True, text=True, check=False)
    except FileNotFoundError as error:
        raise AnsibleError("helm is not on the controller. Remedy: install it, or add where it is to PATH.") from error
    if done.returncode != 0:
        raise AnsibleError(f"helm cannot render the chart {chart}: {done.stderr.strip()}")
    return done.stdout
