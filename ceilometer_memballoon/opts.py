# SPDX-License-Identifier: Apache-2.0
"""The plugin's options, and their listing for oslo-config-generator."""

from oslo_config import cfg

LIBVIRT_OPTS: list[cfg.Opt] = [
    # Nova's own option: same group, name, type, default and meaning
    # (nova/conf/libvirt.py), so that one file can configure both.
    cfg.IntOpt(
        "mem_stats_period_seconds",
        default=10,
        help="Period in seconds at which each guest's balloon driver reports its "
        "memory statistics. This is Nova's option with Nova's meaning. The polling "
        "agent sets the period on running instances. If the option is set in a "
        "configuration file, every instance gets this period. If it is only the "
        "default, an instance keeps a period that it has, and gets this one if it "
        "has none. At zero or below no instance is changed.",
    ),
]

MEMBALLOON_OPTS: list[cfg.Opt] = [
    cfg.FloatOpt(
        "libvirt_timeout",
        default=5.0,
        min=0.1,
        help="Longest time in seconds that the polling agent works at libvirt in one "
        "polling cycle. The cycle then ends with the guests that were read, and the "
        "others come first in the next one. Most of the time is for reading, the "
        "rest for setting periods.",
    ),
    cfg.IntOpt(
        "most_stuck_calls",
        default=4,
        min=1,
        help="How many calls may be stuck at QEMU processes of this host before no "
        "guest is asked any more. The calls of every libvirt client count. Each one "
        "holds a worker of libvirtd, which has 20 for all clients (max_workers in "
        "libvirtd.conf).",
    ),
    cfg.BoolOpt(
        "set_periods",
        default=True,
        help="Whether the polling agent sets the statistics period of instances. If "
        "this is false, the agent never opens a read-write connection to libvirt.",
    ),
    cfg.BoolOpt(
        "serve_stock_meters",
        default=False,
        help="Whether Ceilometer's own libvirt pollsters (cpu, disk.device.*, "
        "network.*, power.state and so on) take their values from the same reads of "
        "libvirt as the memory meters. Then they have a deadline too, and one hung "
        "QEMU process does not stop the polling task. Without it, give the memory "
        "pollsters an interval that no such pollster has.",
    ),
    cfg.FloatOpt(
        "boot_seconds",
        default=120.0,
        min=0.0,
        help="Time in seconds after its start for which an instance that has not "
        "reported yet counts as booting, before the log says that its guest has no "
        "driver.",
    ),
]


def list_opts() -> list[tuple[str, list[cfg.Opt]]]:
    """Return the options by group, as the oslo.config.opts entry point wants them."""
    return [("libvirt", LIBVIRT_OPTS), ("memballoon", MEMBALLOON_OPTS)]


def register(conf: cfg.ConfigOpts) -> None:
    """Register the options in a configuration. Repeated calls do no harm."""
    for group, options in list_opts():
        conf.register_opts(options, group=group)
