# SPDX-License-Identifier: Apache-2.0
"""Sphinx's settings for the man page alone."""

project = "ceilometer-memballoon"
copyright = "the ceilometer-memballoon developers"
extensions = ["cliff.sphinxext"]
root_doc = "ceilometer-memballoon"
autoprogram_cliff_application = "ceilometer-memballoon"
man_pages = [
    ("ceilometer-memballoon", "ceilometer-memballoon", "show why guests report no memory", [], 1)
]
