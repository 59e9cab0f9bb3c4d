# SPDX-License-Identifier: Apache-2.0
"""Heat."""

from tests.lab.chain.service import Service, Services, folder_in, program, run
from tests.lab.cloud.keystone import HEAT_ADMIN, HEAT_DOMAIN
from tests.lab.cloud.site import ETC, PASSWORD, REGION, SERVICE, Site
from tests.lab.cloud.wsgi import Api

CONFIG = """
[DEFAULT]
transport_url = {transport_url}
# No service listens on this port, because our templates have no wait conditions.
heat_metadata_server_url = http://127.0.0.1:8000
heat_waitcondition_server_url = http://127.0.0.1:8000/v1/waitcondition
stack_user_domain_name = {domain}
stack_domain_admin = {admin}
stack_domain_admin_password = {password}
num_engine_workers = 1
auth_encryption_key = 0123456789abcdef0123456789abcdef
region_name_for_services = {region}
# All roles of the user who makes a stack.
trusts_delegated_roles =
deferred_auth_method = trusts
environment_dir = {etc}/heat/environment.d
template_dir = {etc}/heat/templates
[database]
connection = {database}
[paste_deploy]
api_paste_config = {etc}/heat/api-paste.ini
[trustee]
auth_url = {keystone}
auth_type = password
username = {service}
password = {password}
user_domain_id = default
[clients_keystone]
auth_uri = {keystone}
[clients]
endpoint_type = publicURL
{authtoken}
"""


class Heat(Services):
    """Running API and engine."""

    def __init__(self, site: Site) -> None:
        folder = folder_in(site.folder, "heat")
        # The API has no other option for the path of its configuration.
        config = folder / ".heat/heat.conf"
        config.parent.mkdir()
        config.write_text(
            CONFIG.format(
                folder=folder,
                etc=ETC,
                transport_url=site.transport_url,
                domain=HEAT_DOMAIN,
                admin=HEAT_ADMIN,
                service=SERVICE,
                password=PASSWORD,
                region=REGION,
                keystone=site.url("keystone"),
                database=site.database("heat"),
                authtoken=site.authtoken(),
            )
        )
        options = ["--config-file", config]
        run(folder, program("heat-manage"), *options, "db_sync")
        super().__init__(
            Service(folder, "heat-engine", [program("heat-engine"), *options]),
            Api(folder, "heat-api", site.ports["heat"], "heat.wsgi.api", {}),
        )
