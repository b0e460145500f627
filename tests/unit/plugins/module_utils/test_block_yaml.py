# Copyright (c) 2026 Groundwork founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest
import yaml

from ansible_collections.groundwork.kube.plugins.module_utils import block_yaml

ADMIN_CONF = """\
apiVersion: v1
clusters:
- cluster:
    certificate-authority-data: LS0tLS1CRUdJTiBDRVJUSUZJQ0FURS0tLS0tCk1JSURCVENDQWUyZ0F3SUJBZ0lJ==
    server: https://api.kubernetes.internal:6443
  name: kubernetes
contexts:
- context:
    cluster: kubernetes
    user: kubernetes-admin
  name: kubernetes-admin@kubernetes
current-context: kubernetes-admin@kubernetes
kind: Config
preferences: {}
users:
- name: kubernetes-admin
  user:
    as-groups:
    - system:masters
    - 'it''s'
    client-certificate-data: LS0t
    client-key-data: "a: \\"b\\""
    empty:
    insecure: true
    none: null
"""


@pytest.mark.parametrize(
    "text",
    [
        ADMIN_CONF,
        yaml.safe_dump(yaml.safe_load(ADMIN_CONF), default_flow_style=False),
        "",
        "# a remark\n---\na: b\n",
        "- a\n- b\n",
        "- a: b\n- - c\n  - d\n",
        "a:\n  - b: c\n    d: e\n  - f\n",
    ],
)
def test_it_reads_what_pyyaml_reads(text: str) -> None:
    assert block_yaml.load(text) == yaml.safe_load(text)


@pytest.mark.parametrize(
    "text",
    [
        "a: &anchor b",
        "a: *anchor",
        "a: |\n  b",
        "a: {b: c}",
        "a: !tag b",
        "a: b # c",
        "a: b\n  c: d",
        "a: b\nc",
        "-\n  a: b",
    ],
)
def test_it_refuses_what_it_does_not_know(text: str) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        block_yaml.load(text)
