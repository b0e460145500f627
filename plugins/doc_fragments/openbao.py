# Copyright (c) 2026 Groundwork founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations


class ModuleDocFragment:
    """Where OpenBao is, for the modules that speak to it."""

    DOCUMENTATION = r"""
attributes:
  check_mode:
    description: Says what it would do and changes nothing.
    support: full
options:
  namespace:
    description: The namespace of OpenBao.
    type: str
    default: openbao
  label_selector:
    description: The labels of its server's pods.
    type: str
    default: app.kubernetes.io/name=openbao,component=server
  scheme:
    description: Whether its listener has TLS. The API server, which passes the requests on, checks no certificate.
    type: str
    choices: [http, https]
    default: http
  port:
    description: The port of its listener.
    type: int
    default: 8200
notes:
  - OpenBao is reached through the API server's proxy to its pods, so that neither the host the module runs on nor the
    controller needs a way into the cluster's network, and every replica can be spoken to by itself. It wants the right
    to C(get) and C(create) C(pods/proxy).
"""
