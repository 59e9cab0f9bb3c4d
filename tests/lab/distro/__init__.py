# SPDX-License-Identifier: Apache-2.0
"""Run the project's tests on another Debian release, in a root folder of its own.

:mod:`root` builds and keeps the folders, :mod:`namespaces` runs commands in one,
:mod:`environment` installs Python packages for it, :mod:`parts` says what is run where and
:mod:`run` runs it. ``python -m tests.lab.distro`` is the command.
"""
