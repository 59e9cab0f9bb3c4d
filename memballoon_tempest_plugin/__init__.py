# SPDX-License-Identifier: Apache-2.0
"""A plugin of Tempest that tests ceilometer-memballoon in any cloud.

It is a package of its own, because Tempest usually runs on a machine without Ceilometer and
libvirt. It imports neither of them, nor :mod:`ceilometer_memballoon`.
"""
