# SPDX-License-Identifier: Apache-2.0
"""What ./tools/fetch and ./tools/test run.

:mod:`packages` installs the system packages, :mod:`fetch` downloads all else. Then
:mod:`environment` runs one tox environment, in a network of its own made by
:mod:`loopback`; :mod:`run` runs them two at a time and :mod:`board` shows where they are.
"""
