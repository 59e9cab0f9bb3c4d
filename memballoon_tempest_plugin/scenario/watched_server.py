# SPDX-License-Identifier: Apache-2.0
"""A server with an alarm on its memory, made by a plain member of a project."""

from collections.abc import Callable
from typing import Any

from tempest import config
from tempest.lib.common.utils import data_utils, test_utils
from tempest.scenario import manager

from memballoon_tempest_plugin import clients

CONF = config.CONF
CHECK_SECONDS = 2
RULE = "gnocchi_resources_threshold"
#: The guest has booted when two values in a row differ by less than this part of a value.
STEADY = 0.05


class WatchedServerTest(manager.ScenarioTest):
    """The base of tests that follow a sample from the guest to Aodh.

    They need no network and no login to the server.
    """

    credentials = ("primary",)

    @classmethod
    def skip_checks(cls) -> None:
        """Skip the tests if tempest.conf says that this cloud does not have the plugin."""
        super().skip_checks()
        if not CONF.service_available.memballoon:
            raise cls.skipException("this cloud does not have ceilometer-memballoon")

    @classmethod
    def setup_clients(cls) -> None:
        """Make the clients of Gnocchi and Aodh, as the member."""
        super().setup_clients()
        cls.gnocchi = clients.Gnocchi(cls.os_primary.auth_provider)
        cls.aodh = clients.Aodh(cls.os_primary.auth_provider)

    def wait_for_steady_usage(self, server: str) -> float:
        """Wait until the meter of the server hardly changes. Return its value."""
        found: list[float] = []

        def steady() -> bool:
            found[:] = self.gnocchi.values(
                server, CONF.memballoon.meter, CONF.memballoon.granularity
            )
            return len(found) > 1 and abs(found[-1] - found[-2]) <= STEADY * found[-2]

        if not _becomes_true(steady, CONF.memballoon.measures_timeout):
            self.fail(f"no steady {CONF.memballoon.meter} of {server} in Gnocchi: {found}")
        return found[-1]

    def create_alarm(self, server: str, threshold: float) -> str:
        """Create an alarm and return its id. It is deleted after the test."""
        rule = {
            "metric": CONF.memballoon.meter,
            "resource_type": "instance",
            "resource_id": server,
            "aggregation_method": "mean",
            "granularity": CONF.memballoon.granularity,
            "evaluation_periods": 1,
            "comparison_operator": "gt",
            "threshold": threshold,
        }
        alarm: str = self.aodh.create(
            {"name": data_utils.rand_name("memory"), "type": RULE, f"{RULE}_rule": rule}
        )
        self.addCleanup(test_utils.call_and_ignore_notfound_exc, self.aodh.remove, alarm)
        return alarm

    def set_threshold(self, alarm: str, threshold: float) -> None:
        """Replace the alarm's threshold."""
        shown = self.aodh.show(alarm)
        shown[f"{RULE}_rule"]["threshold"] = threshold
        self.aodh.update(shown)

    def wait_for_state(self, alarm: str, state: str) -> None:
        """Wait until the alarm has this state."""
        shown: dict[str, Any] = {}

        def reached() -> bool:
            shown.update(self.aodh.show(alarm))
            return bool(shown["state"] == state)

        if not _becomes_true(reached, CONF.memballoon.alarm_timeout):
            self.fail(f"the alarm is {shown['state']}, not {state}: {shown['state_reason']}")


def _becomes_true(condition: Callable[[], bool], seconds: int) -> bool:
    """Wait for the condition. Return whether it became true in time."""
    return bool(test_utils.call_until_true(condition, seconds, CHECK_SECONDS))
