# SPDX-License-Identifier: Apache-2.0
"""Settings of Sphinx. 'tox -e docs' builds the documentation into build/doc."""

import importlib.metadata
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).parent / "_ext"))

project = "ceilometer-memballoon"
copyright = "the ceilometer-memballoon developers"
version = release = importlib.metadata.version(project)
extensions = [
    "oslo_config.sphinxext",
    "reno.sphinxext",
    "cliff.sphinxext",
    "tables",
]
exclude_patterns = ["_ext"]
html_theme = "furo"
html_title = f"{project} {release}"
html_copy_source = False
man_pages = [
    (
        "cli/ceilometer-memballoon",
        "ceilometer-memballoon",
        "show why guests report no memory",
        [],
        1,
    )
]
autoprogram_cliff_application = "ceilometer-memballoon"
