# SPDX-License-Identifier: Apache-2.0
"""Keystone, with the cloud's services, their user and a plain member."""

from typing import Any

from tests.lab.chain.service import Services, folder_in, program, run
from tests.lab.cloud.site import CATALOG, MEMBER, PASSWORD, REGION, SERVICE, Site
from tests.lab.cloud.wsgi import Api

#: Heat stores its own users in a domain of its own, as that domain's administrator.
HEAT_DOMAIN = "heat"
HEAT_ADMIN = "heat_domain_admin"

CONFIG = """
[database]
connection = {database}
[fernet_tokens]
key_repository = {folder}/fernet
[credential]
key_repository = {folder}/credential
[identity]
# The fewest: a lab's password needs no protection from guessing.
password_hash_rounds = 4
[cache]
# The API is one process, so its own memory is enough. Without a cache each check of a token takes
# many queries.
enabled = true
backend = dogpile.cache.memory
"""


class Keystone(Services):
    """A running Keystone that knows every service, and a plain member."""

    def __init__(self, site: Site) -> None:
        folder = folder_in(site.folder, "keystone")
        config = folder / "keystone.conf"
        config.write_text(CONFIG.format(folder=folder, database=site.database("keystone")))
        manage = [program("keystone-manage"), "--config-file", config]
        run(folder, *manage, "db_sync")
        for keys in ("fernet_setup", "credential_setup"):
            run(folder, *manage, keys, "--keystone-user", "root", "--keystone-group", "root")
        url = site.url("keystone")
        run(folder, *manage, "bootstrap", "--bootstrap-password", PASSWORD,
            "--bootstrap-region-id", REGION, "--bootstrap-public-url", url,
            "--bootstrap-internal-url", url, "--bootstrap-admin-url", url)  # fmt: skip
        api = Api(
            folder, "keystone-api", site.ports["keystone"], "keystone.wsgi.api",
            {"OS_KEYSTONE_CONFIG_FILES": str(config), "OS_KEYSTONE_CONFIG_DIR": str(folder)},
        )  # fmt: skip
        super().__init__(api)
        _fill(site, site.connect("admin").identity)


def _fill(site: Site, identity: Any) -> None:
    roles = {role.name: role for role in identity.roles()}
    for role in ("service", "heat_stack_owner", "heat_stack_user"):
        # The bootstrap may have created it.
        if role not in roles:
            roles[role] = identity.create_role(name=role)
    for name, kind in CATALOG.items():
        if name != "keystone":
            entry = identity.create_service(name=name, type=kind.type)
            identity.create_endpoint(
                service_id=entry.id, interface="public", url=site.url(name), region_id=REGION
            )
    _add_user(identity, SERVICE, roles["admin"], roles["service"])
    _add_user(identity, MEMBER, roles["member"])
    domain = identity.create_domain(name=HEAT_DOMAIN, is_enabled=True)
    admin = identity.create_user(name=HEAT_ADMIN, password=PASSWORD, domain_id=domain.id)
    identity.assign_domain_role_to_user(domain, admin, roles["admin"])


def _add_user(identity: Any, name: str, *roles: Any) -> None:
    """Create a user, and a project of the same name in which the user has these roles."""
    project = identity.create_project(name=name, domain_id="default")
    user = identity.create_user(
        name=name, password=PASSWORD, default_project_id=project.id, domain_id="default"
    )
    for role in roles:
        identity.assign_project_role_to_user(project, user, role)
