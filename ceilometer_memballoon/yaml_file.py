# SPDX-License-Identifier: Apache-2.0
"""Read Ceilometer's YAML files, which may have any content. Errors are one line."""

import os
import pathlib
import stat
from collections.abc import Hashable, Mapping
from typing import Any

import yaml
from oslo_config import cfg

from ceilometer_memballoon.errors import FileError

#: The largest accepted size in bytes. Ceilometer's own files have 30 KiB.
LARGEST = 2**20
KINDS = {dict: "a mapping", list: "a list", str: "text", type(None): "empty"}


def locate(conf: cfg.ConfigOpts, name: str, fallback: str | None = None) -> str:
    """Return the path of the file that Ceilometer finds by this name. Raises FileError.

    fallback: the file in Ceilometer's own package that is used otherwise.
    """
    found = name if os.path.exists(name) else conf.find_file(name)
    if found or fallback:
        return str(found or fallback)
    raise FileError(
        f"{name} was not found where the agent searches, or this user may not search there"
    )


def read_mapping(path: str) -> dict[Any, Any]:
    """Return the file's content, which must be a mapping. Raises FileError."""
    try:
        content = yaml.safe_load(_text(path))
    except FileError:
        raise
    except Exception as error:
        # PyYAML passes on errors of the values' own types, from IndexError to OverflowError.
        raise FileError(f"{path}: {_fault(error)}") from error
    if not isinstance(content, dict):
        raise FileError(f"{path} is {kind_of(content)}, and must be a mapping")
    return content


def entries(mapping: Mapping[Any, Any], key: str, path: str) -> list[dict[Any, Any]]:
    """Return the list of mappings under the key. Raises FileError."""
    found = mapping.get(key)
    if not isinstance(found, list) or not all(isinstance(entry, dict) for entry in found):
        raise FileError(f"{path}: '{key}' is {_kind(mapping, key)}, and must be a list of mappings")
    return found


def names(mapping: Mapping[Any, Any], key: str, path: str) -> list[str]:
    """Return the list of names under the key. Raises FileError."""
    found = mapping.get(key)
    if not isinstance(found, list) or not all(isinstance(n, str) and n for n in found) or not found:
        where = f"'{key}' of '{mapping.get('name', '?')}'"
        raise FileError(f"{path}: {where} is {_kind(mapping, key)}, and must be a list of names")
    return found


def name(mapping: Mapping[Any, Any], path: str) -> str:
    """Return the mapping's name. Raises FileError."""
    found = mapping.get("name")
    if found is None or not isinstance(found, Hashable):
        raise FileError(f"{path}: 'name' is {_kind(mapping, 'name')}, and must be a name")
    return str(found)


def kind_of(content: object) -> str:
    """Return a description of what was read."""
    if content in ([], {}):
        return "empty"
    return KINDS.get(type(content), "a single value")


def _kind(mapping: Mapping[Any, Any], key: str) -> str:
    if key not in mapping:
        return "missing"
    kind = kind_of(mapping[key])
    return "a list of something else" if kind == "a list" else kind


def _text(path: str) -> str:
    file = pathlib.Path(path)
    found = file.stat()
    # Opening a named pipe would wait for its other end, and reading a device may never end.
    if not stat.S_ISREG(found.st_mode):
        raise FileError(f"{path} is not a file")
    if found.st_size > LARGEST:
        raise FileError(f"{path} has {found.st_size} bytes, and at most {LARGEST} are read")
    return file.read_text()


def _fault(error: Exception) -> str:
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    if isinstance(error, RecursionError):
        return "nested too deeply"
    return " ".join(str(error).split()) or type(error).__name__
