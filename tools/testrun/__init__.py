# SPDX-License-Identifier: Apache-2.0
"""The modules behind ./tools/fetch and ./tools/test.

:mod:`packages` installs the system packages. :mod:`fetch` makes the environments of :mod:`tox`
and fetches what :mod:`needs` lists. :mod:`environment` runs one environment below :mod:`reaper`
in a network made by :mod:`loopback`, and :mod:`output` counts its tests. :mod:`run` runs
environments three at a time, and :mod:`board` shows their progress.
"""
