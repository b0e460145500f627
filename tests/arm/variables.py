"""What a play sees of an inventory and of the roles that it lists."""

from __future__ import annotations

import hashlib
import json
import os
import secrets
from pathlib import Path
from typing import Any

import yaml

from tests.ansible_playbook import REPOSITORY


def vault(inventory: Path) -> dict[str, str]:
    """What a site would keep in its vault: values of no meaning."""
    return {name: secrets.token_urlsafe() for name in _example(inventory, "vault")}


def digests(inventory: Path) -> dict[str, dict[str, str]]:
    """What a site would have looked up of its images, by the variable that has them: digests of no image."""
    return {
        name: {image: f"sha256:{hashlib.sha256(image.encode()).hexdigest()}" for image in images}
        for name, images in _example(inventory, "digests").items()
    }


def _example(inventory: Path, name: str) -> dict[str, Any]:
    file = inventory / f"group_vars/all/{name}.yml.example"
    return yaml.safe_load(file.read_text()) if file.exists() else {}


def variables(inventory: str, subscription: str, tenant: str) -> str:
    """As JSON, for a process of its own: Ansible's templating makes a controller of it, and modules would see that."""
    os.environ.update(
        ANSIBLE_COLLECTIONS_PATH=str(REPOSITORY / "collections"),
        AZURE_SUBSCRIPTION_ID=subscription,
        AZURE_TENANT=tenant,
    )
    from ansible.inventory.manager import InventoryManager
    from ansible.parsing.dataloader import DataLoader
    from ansible.plugins.loader import init_plugin_loader
    from ansible.template import Templar
    from ansible.vars.manager import VariableManager

    init_plugin_loader()
    loader = DataLoader()
    place = REPOSITORY / "inventories" / inventory
    hosts = InventoryManager(loader, sources=[str(place)])
    (host,) = hosts.get_hosts("aks")
    theirs = VariableManager(loader, hosts).get_vars(host=host)
    defaults: dict[str, Any] = {}
    for role in theirs["groundwork_azure_roles"]:
        file = REPOSITORY / "roles" / role / "defaults/main.yml"
        defaults.update(loader.load_from_file(str(file), trusted_as_template=True))
    everything = {**defaults, **theirs, **vault(place), **digests(place)}
    templar = Templar(loader, everything)
    wanted = [name for name in everything if name.startswith(("azure_", "aks_", "groundwork_azure_"))]
    return json.dumps({name: templar.template(everything[name]) for name in wanted})
