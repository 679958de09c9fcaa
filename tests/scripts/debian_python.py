"""Modules that only Debian's Python may have."""
import os
import sys


def without(missing: ImportError, packages: str) -> None:
    """Starts the script again with Debian's Python; where that has been tried, skips it (77) and says what to install."""
    debian = "/usr/bin/python3"
    other = os.path.exists(debian) and os.path.realpath(sys.executable) != os.path.realpath(debian)
    if other and "BGW_TRIED" not in os.environ:
        os.execve(debian, [debian, *sys.argv], {**os.environ, "BGW_TRIED": "1"})
    print(f"skipped: {missing}; apt-get install {packages}")
    sys.exit(77)
