# SPDX-License-Identifier: Apache-2.0
"""Neutron's API without agents. It answers Nova, Heat and users, and binds no port.

So servers boot without a network (``--nic none``). The real API is used, and not a stub, so that
Nova, Heat and Tempest get Neutron's own answers. Networks can be created and named.
"""

import sys

from tests.lab.chain.service import Services, folder_in, run
from tests.lab.cloud.site import ETC, Site
from tests.lab.cloud.wsgi import Api

#: Its migrations need MySQL (from 2025.2 on), and its models work with any database.
MAKE_TABLES = """
import sys
import sqlalchemy
from neutron.db.migration.models import head
head.get_metadata().create_all(sqlalchemy.create_engine(sys.argv[1]))
"""

CONFIG = """
[DEFAULT]
state_path = {folder}
transport_url = {transport_url}
auth_strategy = keystone
core_plugin = ml2
# Loads the model of port forwardings, without which ports cannot be listed.
service_plugins = router
api_paste_config = {etc}/neutron/api-paste.ini
notify_nova_on_port_status_changes = false
notify_nova_on_port_data_changes = false
[ml2]
type_drivers = local
tenant_network_types = local
mechanism_drivers =
extension_drivers =
[database]
connection = {database}
[oslo_concurrency]
lock_path = {folder}/lock
{authtoken}
"""


class Neutron(Services):
    """A running Neutron API."""

    def __init__(self, site: Site) -> None:
        folder = folder_in(site.folder, "neutron")
        config = folder / "neutron.conf"
        database = site.database("neutron")
        config.write_text(
            CONFIG.format(
                folder=folder,
                etc=ETC,
                transport_url=site.transport_url,
                database=database,
                authtoken=site.authtoken(),
            )
        )
        run(folder, sys.executable, "-c", MAKE_TABLES, database)
        super().__init__(
            Api(folder, "neutron-api", site.ports["neutron"], "neutron.wsgi.api",
                {"OS_NEUTRON_CONFIG_FILES": str(config)})
        )  # fmt: skip
