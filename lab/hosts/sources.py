# SPDX-License-Identifier: Apache-2.0
"""Where this machine gets its software from, for use inside an image.

The image is built with the machine's own package sources, whatever they
are: nothing here names a mirror.
"""

import configparser
import dataclasses
import os
import pathlib
import platform
import shlex
import subprocess
import urllib.parse

from lab.frame import errors

_INDEX_FORMAT = "$(REPO_URI)|$(CODENAME)|$(COMPONENT)"
# Settings of apt that say how to reach a mirror, not what to do with it.
_APT_PREFIXES = (
    "Acquire::http::",
    "Acquire::https::",
    "Acquire::Retries",
    "Acquire::Check-",
)


@dataclasses.dataclass(frozen=True)
class Pip:
    """How pip is configured here.

    :param environment: ``PIP_*`` variables that say the same
    :param paths: local files and directories that they refer to
    """

    environment: dict[str, str]
    paths: tuple[pathlib.Path, ...]


def debian_mirror() -> str:
    """Address of the archive that this machine's own release comes from.

    :raises LabError: apt knows no such archive
    """
    codename = platform.freedesktop_os_release().get("VERSION_CODENAME", "")
    for line in _output("apt-get", "indextargets", "--format", _INDEX_FORMAT):
        uri, release, component = line.split("|")
        if release == codename and component == "main":
            return uri
    raise errors.LabError(
        f"apt has no source for the component main of {codename}; "
        "run apt-get update or see /etc/apt/sources.list"
    )


def apt_options() -> list[str]:
    """How apt reaches its mirrors (proxies, checks), as it prints it."""
    return [
        line
        for line in _output("apt-config", "dump")
        if line.startswith(_APT_PREFIXES)
    ]


def pip() -> Pip:
    """The machine's pip settings from its files and its environment."""
    parser = configparser.RawConfigParser()
    parser.read(_pip_files())
    settings: dict[str, str] = {}
    for section in ("global", "install"):
        if parser.has_section(section):
            settings.update(parser.items(section))
    environment = {
        "PIP_" + key.upper().replace("-", "_"): " ".join(value.split())
        for key, value in settings.items()
    }
    environment.update(
        (name, value)
        for name, value in os.environ.items()
        if name.startswith("PIP_") and name != "PIP_CONFIG_FILE"
    )
    return Pip(environment, tuple(_local_paths(environment)))


def proxies() -> dict[str, str]:
    """Proxy variables of the environment."""
    return {
        name: value
        for name, value in os.environ.items()
        if name.lower().endswith("_proxy")
    }


def _pip_files() -> list[pathlib.Path]:
    """Where pip looks for its settings, the strongest last."""
    home = pathlib.Path.home()
    return [
        pathlib.Path("/etc/xdg/pip/pip.conf"),
        pathlib.Path("/etc/pip.conf"),
        home / ".pip/pip.conf",
        home / ".config/pip/pip.conf",
        pathlib.Path(os.environ.get("PIP_CONFIG_FILE", os.devnull)),
    ]


def _local_paths(settings: dict[str, str]) -> list[pathlib.Path]:
    found = []
    for word in shlex.split(" ".join(settings.values())):
        path = pathlib.Path(word)
        if word.startswith("file:"):
            # The pages of a local index point beside themselves.
            path = pathlib.Path(urllib.parse.urlparse(word).path).parent
        if path.is_absolute() and path.exists():
            found.append(path)
    return sorted(set(found))


def _output(*argv: str) -> list[str]:
    result = subprocess.run(argv, capture_output=True, text=True, check=False)
    if result.returncode:
        raise errors.LabError(f"{shlex.join(argv)}: {result.stderr.strip()}")
    return result.stdout.splitlines()
