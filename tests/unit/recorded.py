# SPDX-License-Identifier: Apache-2.0
"""Balloon fields of getAllDomainStats, recorded from real guests.

They are from Linux 6.1 guests of tests/lab with libvirt 9.0.0 and QEMU 7.2, in November 2026.
"""

LAST_UPDATE = 1795530996

RUNNING = {
    "state.state": 1,
    "state.reason": 1,
    "balloon.current": 98304,
    "balloon.maximum": 98304,
    "balloon.swap_in": 0,
    "balloon.swap_out": 0,
    "balloon.major_fault": 0,
    "balloon.minor_fault": 715,
    "balloon.unused": 35232,
    "balloon.available": 62032,
    "balloon.usable": 41608,
    "balloon.last-update": LAST_UPDATE,
    "balloon.disk_caches": 2216,
    "balloon.hugetlb_pgalloc": 0,
    "balloon.hugetlb_pgfail": 0,
    "balloon.rss": 183192,
}
NO_DRIVER = {
    "state.state": 1,
    "state.reason": 1,
    "balloon.current": 98304,
    "balloon.maximum": 98304,
    "balloon.last-update": 0,
    "balloon.rss": 185360,
}
NO_DEVICE = {
    "state.state": 1,
    "state.reason": 1,
    "balloon.current": 98304,
    "balloon.maximum": 98304,
    "balloon.rss": 183264,
}
NEVER_RUN = {
    "state.state": 3,
    "state.reason": 1,
    "balloon.current": 98304,
    "balloon.maximum": 98304,
    "balloon.last-update": 0,
    "balloon.rss": 51504,
}
BUSY = {
    "state.state": 1,
    "state.reason": 1,
    "balloon.current": 98304,
    "balloon.maximum": 98304,
}
