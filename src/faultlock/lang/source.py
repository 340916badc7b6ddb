# SPDX-License-Identifier: GPL-2.0-only
"""Reading model files: `ast` only, nothing is ever imported or executed.

`read_sources` turns files into one `Namespace`: constants, parameters, type aliases, enums,
structs and functions, later layers (policies) replacing functions of earlier ones.
"""

from __future__ import annotations

import ast
import functools
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from faultlock.errors import FaultlockError, LanguageError
from faultlock.lang.wording import RESERVED, called, foreign_names, syntax_problem, text_of

MAX_FILE_BYTES = 1_000_000
KERNEL_LAYER, POLICY_LAYER, SCENARIO_LAYER = 0, 1, 2
DECORATORS = ("atomic", "role", "thread", "setup", "always", "eventually", "sometimes")


MAX_NESTING = 100  # of syntax nodes; the kernel's own text has 17


def nested_too_deep(tree: ast.AST) -> ast.AST | None:
    """A node more than MAX_NESTING levels down, which the compiler's recursion could not follow."""
    level: list[ast.AST] = [tree]
    for _ in range(MAX_NESTING):
        level = [child for node in level for child in ast.iter_child_nodes(node)]
    return next((node for node in level if hasattr(node, "lineno")), None)


@dataclass
class Source:
    """One file: its text and the layer it belongs to; the tree is made when it is asked for."""

    path: str
    layer: int
    text: str
    policy: str = ""
    problem: LanguageError | None = None  # a syntax error, known once the tree was looked at

    @functools.cached_property
    def tree(self) -> ast.Module:
        """The syntax tree; empty when the text is not Python syntax (see `problem`)."""
        try:
            tree = ast.parse(self.text, filename=self.path)
            deep = nested_too_deep(tree)
            if deep is None:
                return tree
            what = f"nested more than {MAX_NESTING} levels deep"
            cure = "use locals and functions for the parts"
            column = getattr(deep, "col_offset", 0) + 1
            self.problem = LanguageError(self.path, getattr(deep, "lineno", 1), column, what, cure)
            return ast.Module([], [])
        except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
            self.problem = LanguageError(self.path, *syntax_problem(error, self.text))
            return ast.Module([], [])

    @functools.cached_property
    def lines(self) -> list[str]:
        """The lines of the text."""
        return self.text.splitlines()

    def key(self) -> tuple[str, ...]:
        """What the compiled program depends on."""
        return (self.path, str(self.layer), self.policy, self.text)


@dataclass
class FunctionSource:
    """A function definition and where it came from."""

    name: str
    node: ast.FunctionDef
    source: Source
    decorators: dict[str, ast.expr | None]
    overrides: bool = False

    @property
    def is_atomic(self) -> bool:
        """True when the whole body is one step."""
        return any(
            name in self.decorators
            for name in ("atomic", "setup", "always", "eventually", "sometimes")
        )


@dataclass
class Namespace:
    """All names of a model, each with the file that defines it."""

    constants: dict[str, tuple[ast.expr, Source]] = field(default_factory=dict)
    parameters: dict[str, tuple[ast.expr, Source]] = field(default_factory=dict)
    aliases: dict[str, tuple[ast.expr, Source]] = field(default_factory=dict)
    enums: dict[str, tuple[ast.ClassDef, Source]] = field(default_factory=dict)
    structs: dict[str, tuple[ast.ClassDef, Source]] = field(default_factory=dict)
    functions: dict[str, FunctionSource] = field(default_factory=dict)
    errors: list[LanguageError] = field(default_factory=list)
    signatures_differ: bool = False  # of a policy's function: what calls it would be wrong, too

    def error(self, source: Source, node: ast.AST, what: str, cure: str = "") -> None:
        """Record one refusal; reading goes on."""
        line = getattr(node, "lineno", 1)
        column = getattr(node, "col_offset", 0) + 1
        self.errors.append(LanguageError(source.path, line, column, what, cure))

    def defined(self, name: str) -> bool:
        """Is this a name of the model already (functions aside)?"""
        tables: tuple[dict[str, object], ...] = (
            self.constants,
            self.parameters,
            self.aliases,
            self.enums,
            self.structs,  # type: ignore[assignment]
        )
        return any(name in table for table in tables)


def read_source(path: Path, layer: int, policy: str = "") -> Source:
    """Read one file; it is parsed when its tree is first looked at.

    Raises FaultlockError when the file cannot be read.
    """
    try:
        with open(path, "rb") as stream:
            data = stream.read(MAX_FILE_BYTES + 1)
        text = data.decode("utf-8-sig")
    except OSError as error:
        raise FaultlockError(f"{path}: cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise FaultlockError(f"{path}: is not UTF-8 text; a model file is Python text") from None
    if len(data) > MAX_FILE_BYTES:
        raise FaultlockError(f"{path}: larger than {MAX_FILE_BYTES} bytes; split the file")
    return Source(display_name(path), layer, text, policy)


def display_name(path: Path) -> str:
    """Shipped files as kernel/filemap.py, policies/hold.py; others as given."""
    package = Path(__file__).resolve().parent.parent
    try:
        return str(path.resolve().relative_to(package))
    except ValueError:
        return str(path)


def read_sources(sources: Iterable[Source], errors: list[LanguageError]) -> Namespace:
    """Collect the items of all files, in order, into one namespace."""
    space = Namespace(errors=errors)
    for source in sources:
        body = source.tree.body
        if source.problem is not None:
            errors.append(source.problem)
        for line, column, name in foreign_names(source.text):
            what = f"{name} has a character that is not ASCII"
            cure = "write names with a-z, A-Z, 0-9 and _"
            errors.append(LanguageError(source.path, line, column, what, cure))
        for index, node in enumerate(body):
            _read_item(space, source, node, index)
    return space


def _read_item(space: Namespace, source: Source, node: ast.stmt, index: int) -> None:
    if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
        if not isinstance(node.value.value, str) or index:
            space.error(source, node, "an expression at top level has no effect", "remove it")
    elif isinstance(node, ast.Assign):
        _read_constant(space, source, node)
    elif isinstance(node, ast.AnnAssign):
        _read_parameter(space, source, node)
    elif isinstance(node, ast.ClassDef):
        _read_class(space, source, node)
    elif isinstance(node, ast.FunctionDef):
        _read_function(space, source, node)
    else:
        kind = "import" if isinstance(node, ast.Import | ast.ImportFrom) else called(node)
        cure = (
            "a model file is one namespace with the kernel's files and imports nothing"
            if kind == "import"
            else "only constants, parameters, classes and functions stand at top level"
        )
        space.error(source, node, f"{kind} is not allowed here", cure)


def _read_constant(space: Namespace, source: Source, node: ast.Assign) -> None:
    if len(node.targets) != 1 or not isinstance(node.targets[0], ast.Name):
        space.error(source, node, "a constant has one name", "write NAME = value")
        return
    name = node.targets[0].id
    if name == "base":
        return  # read by lang/model.py
    if _is_reserved(space, source, node, name):
        return
    is_type = isinstance(node.value, ast.Subscript) or (
        isinstance(node.value, ast.Name)
        and (node.value.id in ("bool", "int") or node.value.id in space.aliases)
    )
    if space.defined(name):
        space.error(source, node, f"{name} is defined twice", "choose another name")
        return
    (space.aliases if is_type else space.constants)[name] = (node.value, source)


def _read_parameter(space: Namespace, source: Source, node: ast.AnnAssign) -> None:
    is_parameter = isinstance(node.annotation, ast.Name) and node.annotation.id == "Param"
    if not isinstance(node.target, ast.Name) or not is_parameter or node.value is None:
        space.error(source, node, "not a parameter", "write NAME: Param = default")
        return
    name = node.target.id
    if _is_reserved(space, source, node, name):
        return
    if space.defined(name) and (name not in space.parameters or source.layer == KERNEL_LAYER):
        space.error(source, node, f"{name} is defined twice", "choose another name")
        return
    space.parameters[name] = (node.value, source)


def _read_class(space: Namespace, source: Source, node: ast.ClassDef) -> None:
    base = node.bases[0] if len(node.bases) == 1 else None
    kind = base.id if isinstance(base, ast.Name) else ""
    if kind not in ("Struct", "Enum") or node.decorator_list:
        space.error(
            source,
            node,
            f"class {node.name} is not a Struct or an Enum",
            "write class Name(Struct, count=N) or class Name(Enum)",
        )
        return
    if _is_reserved(space, source, node, node.name):
        return
    if space.defined(node.name):
        space.error(source, node, f"{node.name} is defined twice", "choose another name")
        return
    (space.structs if kind == "Struct" else space.enums)[node.name] = (node, source)


def _is_reserved(space: Namespace, source: Source, node: ast.stmt, name: str) -> bool:
    if name in RESERVED:
        space.error(source, node, f"{name} is a word of the language", "choose another name")
    return name in RESERVED


def _read_function(space: Namespace, source: Source, node: ast.FunctionDef) -> None:
    if _is_reserved(space, source, node, node.name):
        return
    decorators: dict[str, ast.expr | None] = {}
    for decorator in node.decorator_list:
        called = decorator.func if isinstance(decorator, ast.Call) else decorator
        name = called.id if isinstance(called, ast.Name) else ""
        if name not in DECORATORS:
            space.error(
                source,
                decorator,
                f"@{text_of(decorator)} is not a decorator of the language",
                "one of " + ", ".join("@" + word for word in DECORATORS),
            )
        decorators[name] = decorator
    function = FunctionSource(node.name, node, source, decorators)
    known = space.functions.get(node.name)
    if known is not None:
        same_layer = known.source.layer == source.layer and known.source.policy == source.policy
        if same_layer or source.layer == SCENARIO_LAYER:
            space.error(
                source,
                node,
                f"{node.name} is defined twice (also {known.source.path}:{known.node.lineno})",
                "choose another name" if same_layer else "only a policy replaces a kernel function",
            )
            return
        function.overrides = True
        _compare_signatures(space, function, known)
    elif space.defined(node.name):
        space.error(source, node, f"{node.name} is defined twice", "choose another name")
        return
    space.functions[node.name] = function


def _compare_signatures(space: Namespace, new: FunctionSource, old: FunctionSource) -> None:
    def signature(function: FunctionSource) -> str:
        arguments = text_of(function.node.args)
        returns = text_of(function.node.returns) if function.node.returns else "None"
        return f"({arguments}) -> {returns}"

    if signature(new) != signature(old) or new.is_atomic != old.is_atomic:
        space.signatures_differ = True
        kind = "@atomic " if old.is_atomic else ""
        space.error(
            new.source,
            new.node,
            f"{new.name} replaces {old.source.path}:{old.node.lineno} with another signature",
            f"the base has {kind}def {old.name}{signature(old)}",
        )
