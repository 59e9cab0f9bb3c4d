# SPDX-License-Identifier: Apache-2.0
"""The settings of all services of the cloud: addresses, databases, broker and password."""

import dataclasses
import pathlib
import sys
from typing import Any

import openstack

from tests.lab.agent import free_port
from tests.lab.chain import certificates
from tests.lab.chain.postgresql import PostgreSQL
from tests.lab.chain.rabbitmq import RabbitMQ

#: The password of all users. The cloud listens on the loopback address only.
PASSWORD = "secret"
REGION = "RegionOne"
#: Users, and their projects of the same names. All services share one user, because each further
#: user would cost Keystone a second at its start. The cloud has one plain member.
SERVICE = "service"
MEMBER = "demo"
#: Data files that the services' packages install: paste pipelines and Heat's templates.
ETC = pathlib.Path(sys.prefix) / "etc"


@dataclasses.dataclass(frozen=True)
class Kind:
    """One entry of Keystone's catalog: the service's type and the path of its address."""

    type: str
    path: str = ""


#: Catalog entries by service name.
CATALOG = {
    "keystone": Kind("identity", "/v3"),
    "glance": Kind("image"),
    "placement": Kind("placement"),
    "nova": Kind("compute", "/v2.1"),
    "neutron": Kind("network"),
    "heat": Kind("orchestration", "/v1/%(project_id)s"),
    "gnocchi": Kind("metric"),
    "aodh": Kind("alarming"),
}

CREDENTIALS = """
auth_url = {auth_url}
auth_type = password
username = {user}
password = {password}
project_name = {project}
user_domain_id = default
project_domain_id = default
region_name = {region}
"""


class Site:
    """The settings that the services share.

    folder: The cloud's folder.
    certificates: The certificates of the agents' exporters.
    ports: Ports by service.
    """

    def __init__(self, folder: pathlib.Path, postgresql: PostgreSQL, rabbitmq: RabbitMQ) -> None:
        self.folder = folder
        self.postgresql = postgresql
        self.transport_url = rabbitmq.transport_url
        self.certificates = certificates.for_loopback(folder)
        self.ports = {name: free_port() for name in CATALOG}

    def url(self, name: str) -> str:
        """Return a service's address in Keystone's catalog."""
        return f"http://127.0.0.1:{self.ports[name]}{CATALOG[name].path}"

    def database(self, name: str) -> str:
        """Create a database and return its address."""
        # Name the driver, because SQLAlchemy's default depends on its version.
        address = self.postgresql.database(name)
        return address.replace("postgresql:", "postgresql+psycopg2:", 1)

    def credentials(self) -> str:
        """Return keystoneauth's options for the services' user."""
        return CREDENTIALS.format(
            auth_url=self.url("keystone"),
            user=SERVICE,
            password=PASSWORD,
            project=SERVICE,
            region=REGION,
        )

    def authtoken(self) -> str:
        """Return the section that keystonemiddleware reads."""
        return (
            f"[keystone_authtoken]\nwww_authenticate_uri = {self.url('keystone')}\n"
            f"service_token_roles_required = true\n{self.credentials()}"
        )

    def environment(self, user: str = MEMBER) -> dict[str, str]:
        """Return the variables with which ``openstack`` runs as this user."""
        return {
            "OS_AUTH_URL": self.url("keystone"),
            "OS_USERNAME": user,
            "OS_PASSWORD": PASSWORD,
            "OS_PROJECT_NAME": user,
            "OS_USER_DOMAIN_ID": "default",
            "OS_PROJECT_DOMAIN_ID": "default",
            "OS_IDENTITY_API_VERSION": "3",
            "OS_REGION_NAME": REGION,
        }

    def connect(self, user: str = MEMBER) -> Any:
        """Return a connection of openstacksdk for this user."""
        return openstack.connection.Connection(
            auth={
                "auth_url": self.url("keystone"),
                "username": user,
                "password": PASSWORD,
                "project_name": user,
                "user_domain_id": "default",
                "project_domain_id": "default",
            },
            region_name=REGION,
            identity_api_version="3",
            # Servers without a network need 2.37. Naming the host of a migration needs 2.30 or
            # later.
            compute_default_microversion="2.90",
        )
