# SPDX-License-Identifier: GPL-2.0-only
"""How a policy file replaces functions of the base path, and that it is never executed."""

from __future__ import annotations

from pathlib import Path

import pytest

from faultlock.errors import FaultlockError, LanguageErrors
from faultlock.lang.model import compile_model, load_model, policy_path

KERNEL = '''"""A small kernel."""
N_THREADS: Param = 1
class Thread(Struct, count=N_THREADS):
    fatal_signal_pending: bool
    value: Range[0, 9]
def step_one():
    current.value = 1
@role
def loop():
    step_one()
'''


@pytest.fixture
def kernel(tmp_path: Path) -> Path:
    folder = tmp_path / "kernel"
    folder.mkdir()
    (folder / "base.py").write_text(KERNEL, encoding="utf-8")
    return folder


def policy(kernel: Path, text: str, name: str = "mine.py") -> str:
    path = kernel.parent / name
    path.write_text(text, encoding="utf-8")
    return str(path)


def messages(kernel: Path, path: str) -> str:
    with pytest.raises(LanguageErrors) as caught:
        compile_model(load_model(path, (), kernel), everything=True)
    return str(caught.value)


def stored(kernel: Path, path: str) -> list[str]:
    program = compile_model(load_model(path, (), kernel), everything=True)
    return [step.text for step in program.steps if "current.value" in step.text]


def test_a_policy_replaces_a_function_by_name(kernel: Path) -> None:
    path = policy(kernel, '"""p"""\ndef step_one():\n    current.value = 2\n')
    assert stored(kernel, path) == ["current.value = 2"]


def test_a_policy_builds_on_another(kernel: Path) -> None:
    policy(
        kernel,
        '"""a"""\ndef step_one():\n    helper()\ndef helper():\n    current.value = 3\n',
        "a.py",
    )
    path = policy(kernel, '"""b"""\nbase = "a.py"\ndef helper():\n    current.value = 4\n', "b.py")
    assert stored(kernel, path) == ["current.value = 4"]


def test_policies_combine_with_plus(kernel: Path) -> None:
    one = policy(kernel, '"""a"""\ndef step_one():\n    current.value = 3\n', "a.py")
    two = policy(kernel, '"""b"""\ndef step_one():\n    current.value = 4\n', "b.py")
    assert stored(kernel, f"{one}+{two}") == ["current.value = 4"]
    assert stored(kernel, f"{two}+{one}") == ["current.value = 3"]


def test_a_function_that_replaces_nothing_is_an_error(kernel: Path) -> None:
    text = messages(kernel, policy(kernel, '"""p"""\ndef step_onee():\n    current.value = 2\n'))
    assert "step_onee replaces no function of the base path" in text
    assert "did you mean step_one?" in text


def test_another_signature_is_an_error(kernel: Path) -> None:
    text = messages(kernel, policy(kernel, '"""p"""\ndef step_one(a: int):\n    pass\n'))
    assert "with another signature" in text and "def step_one() -> None" in text
    assert len(text.splitlines()) == 1, "not once more for each line that calls it"


def test_a_circle_of_policies_is_an_error(kernel: Path) -> None:
    path = policy(kernel, '"""p"""\nbase = "mine.py"\n')
    with pytest.raises(FaultlockError, match="build on each other in a circle"):
        load_model(path, (), kernel)


def test_an_unknown_policy_names_the_nearest() -> None:
    with pytest.raises(FaultlockError, match="no such policy"):
        policy_path("drop-rety")


def test_a_policy_is_never_executed(kernel: Path) -> None:
    victim = kernel.parent / "victim"
    victim.write_text("still here", encoding="utf-8")
    name = repr(str(victim))
    text = f'"""p"""\nimport os\nos.remove({name})\n__import__("os").remove({name})\n'
    found = messages(kernel, policy(kernel, text))
    assert "import is not allowed here" in found
    assert victim.read_text(encoding="utf-8") == "still here"


def test_unreadable_files_are_one_clear_line(kernel: Path, tmp_path: Path) -> None:
    bad = tmp_path / "bad.py"
    bad.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(FaultlockError, match="is not UTF-8 text"):
        load_model(str(bad), (), kernel)
    with pytest.raises(FaultlockError, match="no such file"):
        load_model(str(tmp_path / "absent.py"), (), kernel)
