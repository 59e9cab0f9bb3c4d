# SPDX-License-Identifier: Apache-2.0
"""Put our inspector where Ceilometer's own libvirt pollsters look for theirs.

Ceilometer's option hypervisor_inspector allows no other name than libvirt's, so the
inspector is put into the place that its pollsters share, while they are being loaded.
"""

import logging

from ceilometer.compute.pollsters import GenericComputePollster
from ceilometer.compute.virt.libvirt.inspector import LibvirtInspector
from oslo_config import cfg

from ceilometer_memballoon import node
from ceilometer_memballoon.inspector import Inspector
from ceilometer_memballoon.problem_log import ProblemLog

#: The place, an attribute of Ceilometer's GenericComputePollster, and who fills it.
SLOT = "_inspector"
FILLED_BY = "_get_inspector"
#: The methods that pollsters call, and one that Ceilometer's inspector calls itself.
METHODS = ("inspect_instance", "inspect_vnics", "inspect_disks", "inspect_disk_info")
LOOKUP = "_lookup_by_uuid"
#: The attribute of an inspector whose methods have been replaced.
SERVED_BY = "served_by"

NO_SLOT = (
    "[memballoon] serve_stock_meters has no effect: this release of Ceilometer keeps its "
    "inspector elsewhere. Its libvirt pollsters ask libvirt themselves, without a deadline, so "
    "give them another interval than the memory pollsters"
)

_problems = ProblemLog()


def has_slot() -> bool:
    """Whether the installed Ceilometer has the place and the inspector that we know."""
    methods = (*METHODS, LOOKUP, "connection")
    return hasattr(GenericComputePollster, FILLED_BY) and all(
        hasattr(LibvirtInspector, method) for method in methods
    )


def is_serving() -> bool:
    """Whether Ceilometer's libvirt pollsters in this process are served."""
    current = getattr(GenericComputePollster, SLOT, None)
    return isinstance(current, Inspector) or getattr(current, SERVED_BY, None) is not None


def serve(conf: cfg.ConfigOpts) -> bool:
    """Serve Ceilometer's libvirt pollsters if the option says so; whether they are served.

    Call it while pollsters are loaded. Those that were loaded before keep their inspector
    object, so its methods are replaced.
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
