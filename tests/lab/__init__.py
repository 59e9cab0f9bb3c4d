# SPDX-License-Identifier: Apache-2.0
"""Real guests on a private hypervisor, for tests, demo and benchmark.

:mod:`apt` unpacks Debian packages, :mod:`cache` keeps them, and :mod:`image` builds a guest's image
from them. :mod:`hypervisor` runs an unprivileged libvirtd, :mod:`privileged` one that runs as root.
:mod:`guest` boots and controls guests on either.
:mod:`agent` runs the real ``ceilometer-polling`` against them, and :mod:`stepped` runs its
polling task one cycle at a time. :mod:`nova` replaces Nova's API, :mod:`clock` is a wall clock
that tests can step, and :mod:`rpc` counts calls to libvirtd. :mod:`demo` is what ./tools/demo
shows.
"""
