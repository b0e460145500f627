#!/usr/bin/python
# Copyright (c) 2026 Groundwork founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
module: harbor_scan
short_description: Stop at images in which Harbor found vulnerabilities
version_added: 0.1.0
description:
  - Asks a Harbor for what its scanner found in each image, and fails if one of them has a finding that is as severe as
    O(severity), or has no result that can be trusted.
  - An image that was never scanned is scanned now, and waited for.
  - Images that are not in this Harbor cannot be judged by it, and are named.
author: Groundwork founders (@groundwork)
options:
  url:
    description: Where Harbor is.
    type: str
    required: true
  username:
    description: A user or robot account that may pull from the projects and have artifacts scanned.
    type: str
    required: true
  password:
    description: Its password or secret.
    type: str
    required: true
  images:
    description:
      - The images, as a pod names them. Those of this Harbor need a digest, as a tag may be another image by the time
        that a node pulls it.
    type: list
    elements: str
    required: true
  severity:
    description: The least severe finding that stops.
    type: str
    choices: [Low, Medium, High, Critical]
    default: Critical
  timeout:
    description: How many seconds a scan may take.
    type: int
    default: 300
  validate_certs:
    description: Whether Harbor's certificate must be valid.
    type: bool
    default: true
  ca_path:
    description: File with the CA that signed Harbor's certificate. Without it, those that this host trusts.
    type: path
attributes:
  check_mode:
    description: Can run in check_mode and return changed status prediction without modifying target.
    support: full
    details: It asks, and has nothing scanned.
  diff_mode:
    description: Will return details on what has changed (or possibly needs changing in check_mode), when in diff mode.
    support: N/A
    details: It changes nothing but what Harbor knows.
"""

EXAMPLES = r"""
- name: Nothing critical goes into production
  groundwork.kube.harbor_scan:
    url: https://harbor.example.org
    username: robot$releases
    password: "{{ vault_harbor_release_password }}"
    images:
      - harbor.example.org/plate/web:3f1c2ab@sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08
"""

RETURN = r"""
findings:
  description: How many findings of each severity, by image.
  returned: always
  type: dict
  sample: {"harbor.example.org/plate/web:3f1c2ab@sha256:9f86…": {"High": 2, "Low": 7}}
unjudged:
  description: The images that are elsewhere.
  returned: always
  type: list
  elements: str
"""

import json
import re
import time
import urllib.error
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlsplit

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.urls import open_url

# In Harbor's own words, from the least to the most severe.
SEVERITIES = ("None", "Unknown", "Negligible", "Low", "Medium", "High", "Critical")
REPORT = "application/vnd.security.vulnerability.report; version=1.1"
UNDER_WAY = ("Pending", "Running", "Scheduled")
INTERVAL = 2

_IMAGE = re.compile(
    r"(?P<host>[^/]+)/(?P<project>[^/]+)/(?P<repository>[^:@]+)(?::[^@]+)?@(?P<digest>sha256:[0-9a-f]{64})"
)


class HarborError(Exception):
    """Why an image cannot be judged, and what to do."""


@dataclass(frozen=True)
class Image:
    """An artifact of a Harbor's."""

    name: str
    project: str
    repository: str
    digest: str

    @property
    def path(self) -> str:
        # Harbor takes a repository's slashes escaped twice only.
        repository = quote(quote(self.repository, safe=""), safe="")
        return f"/api/v2.0/projects/{quote(self.project, safe='')}/repositories/{repository}/artifacts/{self.digest}"


def parse(name: str) -> Image:
    parts = _IMAGE.fullmatch(name)
    if not parts:
        raise HarborError(
            f"{name}: is not HOST/PROJECT/REPOSITORY:TAG@sha256:…; only a digest says which image is meant"
        )
    return Image(name, parts["project"], parts["repository"], parts["digest"])


def report(artifact: Mapping[str, Any]) -> Mapping[str, Any]:
    """The scanner's report of an artifact, empty if there is none."""
    found: Mapping[str, Any] = (artifact.get("scan_overview") or {}).get(REPORT) or {}
    return found


def worse_than(findings: Mapping[str, int], severity: str) -> dict[str, int]:
    stops = SEVERITIES[SEVERITIES.index(severity) :]
    return {name: findings[name] for name in reversed(stops) if findings.get(name)}


class Harbor:
    """The few requests that a judgement takes."""

    def __init__(self, options: Mapping[str, Any], scans: bool) -> None:
        self._options = options
        self._scans = scans
        self._deadline = time.monotonic() + options["timeout"]

    def findings(self, image: Image) -> dict[str, int]:
        """What was found in an image, which is scanned if it never was."""
        last = self._report(image)
        if not last and self._scans:
            self._request("POST", f"{image.path}/scan", image)
            last = {"scan_status": "Pending"}
        while last.get("scan_status") in UNDER_WAY and self._scans and time.monotonic() < self._deadline:
            time.sleep(INTERVAL)
            last = self._report(image) or last
        if last.get("scan_status") != "Success":
            raise HarborError(f"{image.name}: no result of a scan ({last.get('scan_status') or 'not scanned'})")
        counts: dict[str, int] = (last.get("summary") or {}).get("summary") or {}
        return counts

    def _report(self, image: Image) -> Mapping[str, Any]:
        return report(self._request("GET", f"{image.path}?with_scan_overview=true", image))

    def _request(self, method: str, path: str, image: Image) -> dict[str, Any]:
        try:
            answer = open_url(
                self._options["url"].rstrip("/") + path,
                method=method,
                headers={"X-Accept-Vulnerabilities": REPORT, "Accept": "application/json"},
                url_username=self._options["username"],
                url_password=self._options["password"],
                force_basic_auth=True,
                validate_certs=self._options["validate_certs"],
                ca_path=self._options["ca_path"],
            ).read()
        except urllib.error.HTTPError as error:
            raise HarborError(f"{image.name}: Harbor answers {error.code} {error.reason}") from error
        except (OSError, ValueError) as error:
            raise HarborError(f"{self._options['url']} does not answer: {error}") from error
        decoded: dict[str, Any] = json.loads(answer) if answer else {}
        return decoded


def main() -> None:
    module = AnsibleModule(
        {
            "url": {"type": "str", "required": True},
            "username": {"type": "str", "required": True},
            "password": {"type": "str", "required": True, "no_log": True},
            "images": {"type": "list", "elements": "str", "required": True},
            "severity": {"type": "str", "choices": list(SEVERITIES[3:]), "default": "Critical"},
            "timeout": {"type": "int", "default": 300},
            "validate_certs": {"type": "bool", "default": True},
            "ca_path": {"type": "path"},
        },
        supports_check_mode=True,
    )
    host = urlsplit(module.params["url"]).netloc
    harbor = Harbor(module.params, scans=not module.check_mode)
    findings: dict[str, dict[str, int]] = {}
    problems = []
    unjudged = [name for name in module.params["images"] if not name.startswith(f"{host}/")]
    for name in module.params["images"]:
        if name in unjudged:
            continue
        try:
            findings[name] = harbor.findings(parse(name))
        except HarborError as error:
            problems.append(str(error))
            continue
        stops = worse_than(findings[name], module.params["severity"])
        if stops:
            counts = ", ".join(f"{count} {severity}" for severity, count in stops.items())
            problems.append(f"{name}: {counts}")
    if problems:
        module.fail_json(msg="\n".join(problems), findings=findings, unjudged=unjudged)
    module.exit_json(changed=False, findings=findings, unjudged=unjudged)


if __name__ == "__main__":
    main()
