# SPDX-License-Identifier: GPL-2.0-only
"""Writes the commit into a built package, so that `faultlock --version` can name it."""

import subprocess
from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py


class BuildWithCommit(build_py):
    """The ordinary build, plus `faultlock/commit.txt` in the build folder."""

    def run(self) -> None:
        super().run()
        if getattr(self, "editable_mode", False):
            return
        described = subprocess.run(
            ["git", "describe", "--always", "--abbrev=12", "--dirty=+", "--exclude=*"],
            capture_output=True,
            text=True,
            check=False,
        )
        if described.returncode == 0:
            target = Path(self.build_lib) / "faultlock" / "commit.txt"
            target.write_text(described.stdout, encoding="utf-8")


setup(cmdclass={"build_py": BuildWithCommit})
