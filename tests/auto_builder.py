# Copyright (c) 2026 Groundwork founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the owners of Auto-Builder say of it."""

from __future__ import annotations

import json
from string import Template
from typing import Any

import yaml

# Object of the Key Vault, Secret, key.
MAPPING = [
    ("database-url", "db-credentials", "DATABASE_URL"),
    ("jwt-secret", "app-secrets", "JWT_SECRET_KEY"),
    ("redis-password", "app-secrets", "REDIS_PASSWORD"),
    ("init-password", "app-secrets", "INIT_PASSWORD"),
    ("celery-broker-url", "app-secrets", "CELERY_BROKER_URL"),
    ("celery-result-backend", "app-secrets", "CELERY_RESULT_BACKEND"),
    ("OPENAI-KEY-1", "app-secrets", "OPENAI_KEY_1"),
    ("CLAUDE-KEY", "app-secrets", "CLAUDE_KEY"),
    ("nextauth-secret", "ui-secrets", "NEXTAUTH_SECRET"),
]

# What auto-builder-sa may do in its namespace, by group and resource.
RIGHTS = {
    ("batch", "jobs"): {"create", "delete", "get", "list", "watch", "patch", "update"},
    ("batch", "jobs/status"): {"create", "delete", "get", "list", "watch", "patch", "update"},
    ("", "pods"): {"get", "list", "watch"},
    ("", "pods/log"): {"get", "list", "watch"},
    ("", "configmaps"): {"get", "list"},
    ("", "secrets"): {"get", "list"},
    ("", "persistentvolumeclaims"): {"get", "list"},
}
VERBS = ("get", "list", "watch", "create", "update", "patch", "delete", "deletecollection")
NO_RIGHTS = [
    ("", "nodes"),
    ("", "pods/exec"),
    ("", "serviceaccounts/token"),
    ("batch", "cronjobs"),
    ("apps", "deployments"),
    ("rbac.authorization.k8s.io", "rolebindings"),
]


def build_step(template: str, *, image: str, command: list[str]) -> dict[str, Any]:
    """The Job that the worker makes of the template of a build step."""
    filled = {"run": 7, "step": "build", "project": 42, "image": image, "command": json.dumps(command)}
    job: dict[str, Any] = yaml.safe_load(Template(template).substitute(filled))
    return job
