# SPDX-License-Identifier: Apache-2.0
"""Nova's API, conductor and scheduler, and the settings of its compute services."""

import pathlib
import shutil

from tests.lab.chain.service import Service, Services, folder_in, program, run
from tests.lab.cloud.site import ETC, Site
from tests.lab.cloud.wsgi import Api

#: Seconds between two searches of the scheduler for new compute hosts.
DISCOVERY_INTERVAL = 5

#: The configuration of all Nova services.
COMMON = """
[oslo_messaging_notifications]
driver = messagingv2
[notifications]
notification_format = unversioned
notify_on_state_change = vm_and_task_state
[placement]
{credentials}
[glance]
service_type = image
{credentials}
[keystone]
{credentials}
[cinder]
{credentials}
[neutron]
{credentials}
[service_user]
send_service_user_token = true
{credentials}
[oslo_concurrency]
lock_path = {folder}/lock
"""

CONFIG = """
[DEFAULT]
transport_url = {transport_url}
state_path = {folder}
my_ip = 127.0.0.1
[api]
auth_strategy = keystone
[wsgi]
api_paste_config = {folder}/api-paste.ini
[api_database]
connection = {api_database}
[database]
connection = {database}
[conductor]
workers = 1
[scheduler]
workers = 1
discover_hosts_in_cells_interval = {discovery}
[quota]
instances = -1
cores = -1
ram = -1
{authtoken}
"""


def common(site: Site, folder: pathlib.Path) -> str:
    """Return the sections that are the same for every Nova service."""
    return COMMON.format(folder=folder, credentials=site.credentials())


class Nova(Services):
    """Running API, conductor and scheduler, with one cell."""

    def __init__(self, site: Site) -> None:
        folder = folder_in(site.folder, "nova")
        shutil.copy(ETC / "nova/api-paste.ini", folder)
        config = folder / "nova.conf"
        cell0, database = (site.database(f"nova_{name}") for name in ("cell0", "cell1"))
        config.write_text(
            CONFIG.format(
                folder=folder,
                transport_url=site.transport_url,
                api_database=site.database("nova_api"),
                database=database,
                discovery=DISCOVERY_INTERVAL,
                authtoken=site.authtoken(),
            )
            + common(site, folder)
        )
        options = ["--config-file", config]
        manage = [program("nova-manage"), *options]
        run(folder, *manage, "api_db", "sync")
        run(folder, *manage, "cell_v2", "map_cell0", "--database_connection", cell0)
        run(folder, *manage, "db", "sync")
        run(folder, *manage, "cell_v2", "create_cell", "--name", "cell1")
        super().__init__(
            Service(folder, "nova-conductor", [program("nova-conductor"), *options]),
            Service(folder, "nova-scheduler", [program("nova-scheduler"), *options]),
            Api(folder, "nova-api", site.ports["nova"], "nova.wsgi.osapi_compute",
                {"OS_NOVA_CONFIG_DIR": str(folder)}),
        )  # fmt: skip
