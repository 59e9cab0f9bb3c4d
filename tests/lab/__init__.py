# SPDX-License-Identifier: Apache-2.0
"""Real guests on a private hypervisor: what tests, demo and benchmark run on.

:mod:`apt` unpacks Debian packages, :mod:`cache` keeps them, :mod:`image` builds a guest of them,
:mod:`hypervisor` runs an unprivileged libvirtd of its own, :mod:`privileged` one of root's,
:mod:`guest` boots and steers guests on either.
:mod:`agent` runs the real ``ceilometer-polling`` against them, :mod:`stepped` its polling
task a cycle at a time; :mod:`nova` answers for Nova, :mod:`clock` is a wall clock to step,
:mod:`rpc` counts calls. :mod:`demo` is what ./tools/demo shows.
"""
