# SPDX-License-Identifier: Apache-2.0
"""Make Ceilometer's own libvirt pollsters use the plugin's inspector.

Ceilometer's option hypervisor_inspector allows no name except libvirt's. So the inspector is
stored in the attribute that its pollsters share, while they are being loaded.
"""

import logging

from ceilometer.compute.pollsters import GenericComputePollster
from ceilometer.compute.virt.libvirt.inspector import LibvirtInspector
from oslo_config import cfg

from ceilometer_memballoon import node
from ceilometer_memballoon.inspector import Inspector
from ceilometer_memballoon.problem_log import ProblemLog

#: The attribute of Ceilometer's GenericComputePollster for the inspector, and the method that sets
#: it.
SLOT = "_inspector"
FILLED_BY = "_get_inspector"
#: The methods that pollsters call, and one that Ceilometer's inspector calls itself.
METHODS = ("inspect_instance", "inspect_vnics", "inspect_disks", "inspect_disk_info")
LOOKUP = "_lookup_by_uuid"
#: The attribute of an inspector whose methods have been replaced.
SERVED_BY = "served_by"

NO_SLOT = (
    "[memballoon] serve_stock_meters has no effect: this release of Ceilometer keeps its "
    "inspector elsewhere. Its libvirt pollsters still ask libvirt without a deadline. "
    "Give the memory pollsters an interval that no such pollster has"
)

_problems = ProblemLog()


def has_slot() -> bool:
    """Return whether the installed Ceilometer has the expected attribute and inspector."""
    methods = (*METHODS, LOOKUP, "connection")
    return hasattr(GenericComputePollster, FILLED_BY) and all(
        hasattr(LibvirtInspector, method) for method in methods
    )


def is_serving() -> bool:
    """Return whether the plugin serves Ceilometer's libvirt pollsters in this process."""
    current = getattr(GenericComputePollster, SLOT, None)
    return isinstance(current, Inspector) or getattr(current, SERVED_BY, None) is not None


def serve(conf: cfg.ConfigOpts) -> bool:
    """Serve Ceilometer's libvirt pollsters if the option is set. Return whether they are served.

    Call this while pollsters are being loaded. Pollsters that were loaded before keep their
    inspector object, so its methods are replaced.
    """
    if not conf.memballoon.serve_stock_meters:
        return False
    if is_serving():
        return True
    current = getattr(GenericComputePollster, SLOT, None)
    if not has_slot() or not isinstance(current, LibvirtInspector | None):
        _problems.log(SLOT, logging.WARNING, "%s", NO_SLOT)
        return False
    ours = Inspector(conf, node.shared(conf))
    if current is None:
        setattr(GenericComputePollster, SLOT, ours)
        return True
    for method in METHODS:
        setattr(current, method, getattr(ours, method))
    setattr(current, SERVED_BY, ours)
    return True
