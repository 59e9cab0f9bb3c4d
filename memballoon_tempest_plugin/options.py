# SPDX-License-Identifier: Apache-2.0
"""The options of the tests in tempest.conf."""

from oslo_config import cfg

SERVICE_AVAILABLE = [
    cfg.BoolOpt(
        "memballoon",
        default=True,
        help="Whether compute nodes poll with ceilometer-memballoon, and Gnocchi and Aodh run.",
    ),
]

GROUP = cfg.OptGroup("memballoon", title="Options of ceilometer-memballoon's tests")

MEMBALLOON = [
    cfg.StrOpt("meter", default="memory.usage", help="The meter that the alarms watch."),
    cfg.IntOpt(
        "granularity",
        default=60,
        min=1,
        help="Seconds between two values in Gnocchi. The meter's archive policy must have means "
        "of this granularity. The polling interval must not be longer.",
    ),
    cfg.IntOpt(
        "measures_timeout",
        default=600,
        min=1,
        help="Seconds from a server's start until Gnocchi has steady values of its meter.",
    ),
    cfg.IntOpt(
        "alarm_timeout",
        default=600,
        min=1,
        help="Seconds until an alarm has changed its state.",
    ),
    cfg.StrOpt(
        "load_command",
        default="",
        help="A shell command that makes the server use more memory and then returns. It runs on "
        "the machine that runs Tempest. The variable SERVER_ID is the server's UUID. Without it "
        "MemoryLoadTest is skipped.",
    ),
    cfg.IntOpt("load_timeout", default=120, min=1, help="Seconds in which load_command must end."),
    cfg.FloatOpt(
        "load_rise",
        default=50.0,
        min=1.0,
        help="By how much load_command raises the meter at least, in the meter's unit.",
    ),
    cfg.StrOpt("metric_catalog_type", default="metric", help="Gnocchi's type in the catalog."),
    cfg.StrOpt("alarming_catalog_type", default="alarming", help="Aodh's type in the catalog."),
    cfg.StrOpt(
        "endpoint_type",
        default="publicURL",
        choices=["publicURL", "internalURL", "adminURL"],
        help="The endpoints to use of Gnocchi and Aodh.",
    ),
]
