# SPDX-License-Identifier: Apache-2.0
"""Real guests on a private hypervisor: what tests, demo and benchmark run on.

:mod:`image` builds a guest, :mod:`hypervisor` runs an unprivileged libvirtd of
its own, :mod:`guest` boots and steers guests on it, :mod:`agent` runs the real
``ceilometer-polling`` against it.  ``python -m tests.lab`` starts a lab to
play with.
"""
