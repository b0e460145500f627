"""What a play sees of an inventory and of the roles that it lists."""

from __future__ import annotations

import json
import os
import secrets
from typing import Any

import yaml

from tests.ansible_playbook import REPOSITORY


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
    vault = place / "group_vars/all/vault.yml.example"
    kept = yaml.safe_load(vault.read_text()) if vault.exists() else {}
    everything = {**defaults, **theirs, **{name: secrets.token_urlsafe() for name in kept}}
    templar = Templar(loader, everything)
    wanted = [name for name in everything if name.startswith(("azure_", "aks_", "groundwork_azure_"))]
    return json.dumps({name: templar.template(everything[name]) for name in wanted})
