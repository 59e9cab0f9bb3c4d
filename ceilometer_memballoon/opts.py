# SPDX-License-Identifier: Apache-2.0
"""The plugin's options, and their list for oslo-config-generator."""

from oslo_config import cfg

LIBVIRT_OPTS: list[cfg.Opt] = [
    # Nova's option with the same group, name, type, default and meaning (nova/conf/libvirt.py), so
    # that one file can configure both services.
    cfg.IntOpt(
        "mem_stats_period_seconds",
        default=10,
        help="Interval in seconds at which each guest's balloon driver reports its "
        "memory statistics. This is Nova's option with Nova's meaning. The polling "
        "agent sets the period on running instances. If a configuration file sets "
        "the option, every instance gets this period. If the option only has its "
        "default, only instances without a period get it. At zero or below the "
        "agent changes no instance.",
    ),
]

MEMBALLOON_OPTS: list[cfg.Opt] = [
    cfg.FloatOpt(
        "libvirt_timeout",
        default=5.0,
        min=0.1,
        help="Longest time in seconds that the polling agent spends on libvirt calls in "
        "one polling cycle. After that the cycle ends with the guests that were "
        "read. The next cycle reads the others first. Most of the time is for "
        "reading. The rest is for setting periods.",
    ),
    cfg.IntOpt(
        "most_stuck_calls",
        default=4,
        min=1,
        help="Largest number of calls that may be stuck at QEMU processes of this host. "
        "At this number the agent asks no further guest. The calls of every libvirt "
        "client count. Each call occupies a worker of libvirtd, which has 20 for all "
        "clients (max_workers in libvirtd.conf).",
    ),
    cfg.BoolOpt(
        "set_periods",
        default=True,
        help="Whether the polling agent sets the statistics period of instances. If "
        "false, the agent never opens a read-write connection to libvirt.",
    ),
    cfg.BoolOpt(
        "serve_stock_meters",
        default=False,
        help="Whether Ceilometer's own libvirt pollsters (cpu, disk.device.*, "
        "network.*, power.state and so on) take their values from the same reads of "
        "libvirt as the memory meters. Then they also have a deadline, and one hung "
        "QEMU process does not stop the polling task. If false, give the memory "
        "pollsters an interval that no such pollster has.",
    ),
    cfg.FloatOpt(
        "boot_seconds",
        default=120.0,
        min=0.0,
        help="Time in seconds after its start during which an instance without a report "
        "counts as booting. After that the log says that its guest has no driver.",
    ),
]


def list_opts() -> list[tuple[str, list[cfg.Opt]]]:
    """Return the options by group, for the entry point oslo.config.opts."""
    return [("libvirt", LIBVIRT_OPTS), ("memballoon", MEMBALLOON_OPTS)]


def register(conf: cfg.ConfigOpts) -> None:
    """Register the options in a configuration. Repeated calls have no effect."""
    for group, options in list_opts():
        conf.register_opts(options, group=group)
