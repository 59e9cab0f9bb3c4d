# SPDX-License-Identifier: Apache-2.0
"""Clients of Gnocchi and Aodh with the few requests that the tests make."""

import json
from typing import Any

from tempest import config
from tempest.lib import exceptions
from tempest.lib.common import rest_client

CONF = config.CONF
OK, CREATED, NO_CONTENT = 200, 201, 204


class _Client(rest_client.RestClient):
    """A client of one service. provider: the user's auth provider."""

    def __init__(self, provider: Any, catalog_type: str) -> None:
        super().__init__(
            provider,
            catalog_type,
            CONF.identity.region,
            endpoint_type=CONF.memballoon.endpoint_type,
            disable_ssl_certificate_validation=CONF.identity.disable_ssl_certificate_validation,
            ca_certs=CONF.identity.ca_certificates_file,
        )

    def _checked(self, answer: tuple[Any, bytes], status: int) -> Any:
        """Return the decoded body. Raises an exception of Tempest for another status."""
        response, body = answer
        self.expected_success(status, response.status)
        return json.loads(body) if body else None


class Gnocchi(_Client):
    """Gnocchi's API."""

    def __init__(self, provider: Any) -> None:
        super().__init__(provider, CONF.memballoon.metric_catalog_type)

    def values(self, server: str, meter: str, granularity: int) -> list[float]:
        """Return the means of a server's meter, oldest first; empty without such a metric."""
        path = f"v1/resource/instance/{server}/metric/{meter}/measures"
        query = f"granularity={granularity}&aggregation=mean"
        try:
            found = self._checked(self.get(f"{path}?{query}"), OK)
        except exceptions.NotFound:
            return []
        return [value for _, _, value in found]


class Aodh(_Client):
    """Aodh's API."""

    def __init__(self, provider: Any) -> None:
        super().__init__(provider, CONF.memballoon.alarming_catalog_type)

    def create(self, alarm: dict[str, Any]) -> str:
        """Create an alarm and return its id."""
        made = self._checked(self.post("v2/alarms", json.dumps(alarm)), CREATED)
        return str(made["alarm_id"])

    def update(self, alarm: dict[str, Any]) -> None:
        """Replace an alarm by this one, which is a changed answer of show().

        Aodh 23 never evaluates an alarm again that was updated without its evaluate_timestamp.
        """
        self._checked(self.put(f"v2/alarms/{alarm['alarm_id']}", json.dumps(alarm)), OK)

    def show(self, alarm_id: str) -> dict[str, Any]:
        """Return an alarm, with its state and the reason of its state."""
        found: dict[str, Any] = self._checked(self.get(f"v2/alarms/{alarm_id}"), OK)
        return found

    def remove(self, alarm_id: str) -> None:
        """Delete an alarm."""
        self._checked(self.delete(f"v2/alarms/{alarm_id}"), NO_CONTENT)
