# SPDX-License-Identifier: Apache-2.0
"""What ./tools/fetch and ./tools/test run.

:mod:`packages` installs the system packages, :mod:`fetch` makes the environments of
:mod:`tox` and fetches what :mod:`needs` lists. Then :mod:`environment` runs one of them, in a
network made by :mod:`loopback`, and :mod:`output` counts its tests; :mod:`run` runs them two at
a time and :mod:`board` shows where they are.
"""
