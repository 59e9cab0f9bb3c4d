# SPDX-License-Identifier: Apache-2.0
"""Sphinx's settings; 'tox -e docs' builds into build/doc."""

import importlib.metadata
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).parent / "_ext"))

project = "ceilometer-memballoon"
copyright = "the ceilometer-memballoon developers"
extensions = [
    "openstackdocstheme",
    "oslo_config.sphinxext",
    "reno.sphinxext",
    "cliff.sphinxext",
    "tables",
]
exclude_patterns = ["_ext"]
html_theme = "openstackdocs"
html_copy_source = False
# The theme would make both up from setup.cfg and git, as pbr does.
openstackdocs_auto_name = False
openstackdocs_auto_version = False
version = release = importlib.metadata.version(project)
openstackdocs_use_storyboard = False
openstackdocs_repo_name = "ceilometer-memballoon"
man_pages = [
    (
        "ceilometer-memballoon",
        "ceilometer-memballoon",
        "why a guest has no memory data, and what to do",
        [],
        1,
    )
]
autoprogram_cliff_application = "ceilometer-memballoon"
