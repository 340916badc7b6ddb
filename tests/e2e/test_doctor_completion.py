# SPDX-License-Identifier: GPL-2.0-only
"""doctor, completion and the man page."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from faultlock import cli
from tests.tools import faultlock


def test_doctor_names_every_tool_and_what_it_adds() -> None:
    done = faultlock("doctor")
    assert done.returncode == 0, done.stdout
    for name in ("python", "llvmlite", "qemu-system-x86_64", "spin", "ftrace"):
        assert f" {name} " in done.stdout


def test_doctor_as_json(tmp_path: Path) -> None:
    done = faultlock("doctor", "--json", environment={"PATH": str(tmp_path)})
    findings = {finding["name"]: finding for finding in json.loads(done.stdout)["findings"]}
    assert not findings["spin"]["present"]
    assert findings["spin"]["cure"] == "apt-get install spin"
    assert findings["llvmlite"]["required"]


def test_doctor_fails_when_the_cache_cannot_be_written() -> None:
    done = faultlock("doctor", environment={"FAULTLOCK_CACHE": "/proc/version/cache"})
    assert done.returncode == 4
    assert "not usable: cache folder" in done.stdout


@pytest.mark.parametrize("shell", ["bash", "zsh", "tcsh"])
def test_completion_knows_every_verb(shell: str) -> None:
    done = faultlock("completion", shell)
    assert done.returncode == 0, done.stderr
    for verb in cli.all_verbs():
        assert verb in done.stdout


def test_bash_completion_is_bash(tmp_path: Path) -> None:
    script = tmp_path / "completion.bash"
    script.write_text(faultlock("completion", "bash").stdout)
    done = subprocess.run(["bash", "-n", script], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_man_page_has_the_verbs_and_exit_codes() -> None:
    page = faultlock("completion", "man").stdout
    assert "\n.nf\nread the model:\n" in page, "the list of verbs is not filled"
    assert page.startswith('.TH FAULTLOCK "1"')
    for verb in cli.all_verbs():
        assert verb in page
    assert "exit codes" in page
