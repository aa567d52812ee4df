"""Small faults that could have been written into a Python module: every one that the operators below know.

A mutant is the source with one piece of text replaced, so that its diff is exactly what runs. Left alone are texts
(messages, labels, docstrings), annotations, decorators, imports, assertions (they state what holds anyway), log lines.
"""

from __future__ import annotations

import ast
import copy
from collections.abc import Iterator
from dataclasses import dataclass

COMPARISONS: dict[type[ast.cmpop], tuple[type[ast.cmpop], ...]] = {
    ast.Lt: (ast.LtE, ast.GtE),
    ast.LtE: (ast.Lt, ast.Gt),
    ast.Gt: (ast.GtE, ast.LtE),
    ast.GtE: (ast.Gt, ast.Lt),
    ast.Eq: (ast.NotEq,),
    ast.NotEq: (ast.Eq,),
    ast.Is: (ast.IsNot,),
    ast.IsNot: (ast.Is,),
    ast.In: (ast.NotIn,),
    ast.NotIn: (ast.In,),
}
"""Each comparison, its neighbour at the boundary and its opposite."""

ARITHMETIC: dict[type[ast.operator], type[ast.operator]] = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.FloorDiv,
    ast.FloorDiv: ast.Mult,
    ast.Div: ast.Mult,
    ast.Mod: ast.FloorDiv,
    ast.Pow: ast.Mult,
    ast.LShift: ast.RShift,
    ast.RShift: ast.LShift,
    ast.BitAnd: ast.BitOr,
    ast.BitOr: ast.BitAnd,
    ast.BitXor: ast.BitOr,
}

LOGGERS = {"log", "_log"}
"""What a log line is called on: `log.info(...)`, `self._log.warning(...)`."""


@dataclass(frozen=True, slots=True)
class Mutant:
    """One fault: the whole mutated source, and how to name it."""

    module: str
    """Dotted name of the module."""
    function: str
    """Qualified name of what holds the fault; "" for the module itself."""
    operator: str
    lines: range
    """Lines of the original that the replaced text touches."""
    diff: str
    """Lines of before with "- ", lines of after with "+ ", without indentation."""
    source: str


@dataclass(frozen=True, slots=True)
class Candidate:
    """A fault that could be built: building costs a parse, and most runs take a sample."""

    module: str
    function: str
    operator: str
    source: str
    tree: ast.Module
    node: ast.AST
    new: ast.AST

    def texts(self) -> Iterator[str]:
        """The mutated source, without and with parentheses around what is new; one of them says what is meant."""
        old, new = self._parts()
        text = ast.unparse(new)
        yield _spliced(self.source, old, text)
        if isinstance(new, ast.expr):
            yield _spliced(self.source, old, f"({text})")

    def diffs(self) -> Iterator[str]:
        """How the mutant may be shown; cheaper than building it."""
        return (_diff(self.source, text) for text in self.texts())

    def build(self) -> Mutant | None:
        """The mutant; None where the fault cannot be spelled in that place."""
        old, new = self._parts()
        wanted = ast.dump(_replaced(self.tree, old, new))
        for mutated in self.texts():
            try:
                right = ast.dump(ast.parse(mutated)) == wanted
            except SyntaxError:
                right = False
            if right:
                lines = range(old.lineno, (old.end_lineno or old.lineno) + 1)
                return Mutant(self.module, self.function, self.operator, lines, _diff(self.source, mutated), mutated)
        return None

    def _parts(self) -> tuple[ast.expr | ast.stmt, ast.AST]:
        """What is exchanged, and for what: of an if or a while only the condition."""
        old, new = self.node, self.new
        if isinstance(old, ast.If | ast.While):
            old, new = old.test, new.test  # type: ignore[attr-defined]
        assert isinstance(old, ast.expr | ast.stmt)
        return old, new


@dataclass(slots=True)
class _Place:
    """A node that may be replaced, with what surrounds it."""

    node: ast.AST
    function: str
    deletable: bool
    """An assignment whose name was bound before, so that it can go without a NameError."""


def candidates(module: str, source: str) -> list[Candidate]:
    """Every fault of `source`, in the order of its text, not yet built."""
    tree = ast.parse(source)
    return [
        Candidate(module, place.function, operator, source, tree, place.node, new)
        for place in _places(tree.body, "", set())
        for operator, new in _faults(place)
    ]


def _places(body: list[ast.stmt], function: str, bound: set[str]) -> Iterator[_Place]:
    """Each statement and expression of `body` that may be mutated."""
    for statement in body:
        if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            name = f"{function}.{statement.name}" if function else statement.name
            if not isinstance(statement, ast.ClassDef):
                for default in [*statement.args.defaults, *filter(None, statement.args.kw_defaults)]:
                    yield from _expressions(default, name)
            yield from _places(statement.body, name, set())
            continue
        if isinstance(statement, ast.Import | ast.ImportFrom | ast.Assert) or _is_text(statement) or _is_log(statement):
            continue
        if isinstance(statement, ast.If) and ast.unparse(statement.test) == "TYPE_CHECKING":
            continue
        yield _Place(statement, function, _rebinds(statement, bound))
        bound |= {node.id for node in ast.walk(statement) if isinstance(node, ast.Name) and _stored(node)}
        for child in ast.iter_child_nodes(statement):
            if isinstance(child, ast.expr) and child is not getattr(statement, "annotation", None):
                yield from _expressions(child, function)
            elif isinstance(child, ast.withitem):
                yield from _expressions(child.context_expr, function)
            elif isinstance(child, ast.match_case):
                if child.guard is not None:
                    yield from _expressions(child.guard, function)
                yield from _places(child.body, function, bound)
            elif isinstance(child, ast.ExceptHandler):
                yield from _places(child.body, function, bound)
        for part in ("body", "orelse", "finalbody"):
            yield from _places(getattr(statement, part, []), function, bound)


def _expressions(node: ast.expr, function: str) -> Iterator[_Place]:
    """`node` and every expression in it, but for those inside an f-string, whose places Python does not know."""
    if isinstance(node, ast.JoinedStr):
        return
    yield _Place(node, function, False)
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.expr):
            yield from _expressions(child, function)
        elif isinstance(child, ast.keyword):
            yield from _expressions(child.value, function)
        elif isinstance(child, ast.comprehension):
            for part in (child.iter, *child.ifs):
                yield from _expressions(part, function)


def _faults(place: _Place) -> Iterator[tuple[str, ast.AST]]:
    """(operator, what stands in the node's place) for every fault of this node itself."""
    node = place.node
    match node:
        case ast.Expr(value=ast.Call() | ast.Await() | ast.Yield()) | ast.Raise() | ast.Delete():
            yield "delete", ast.Pass()
        case ast.Continue() | ast.Break() | ast.Return(value=None) | ast.AugAssign():
            yield "delete", ast.Pass()
        case ast.Assign() if place.deletable:
            yield "delete", ast.Pass()
        case ast.Return(value=value) if value is not None and not _is_none(value):
            yield "return", ast.Return(ast.Constant(None))
    if isinstance(node, ast.AugAssign) and type(node.op) in ARITHMETIC:
        yield "arithmetic", _with(node, op=ARITHMETIC[type(node.op)]())
    if isinstance(node, ast.If | ast.While | ast.IfExp) and not isinstance(node.test, ast.Constant):
        for value in (True, False):
            yield "condition", _with(node, test=ast.Constant(value))
    yield from _expression_faults(node)


def _expression_faults(node: ast.AST) -> Iterator[tuple[str, ast.AST]]:
    """The same for expressions."""
    match node:
        case ast.Compare():
            for index, op in enumerate(node.ops):
                for other in COMPARISONS[type(op)]:
                    yield "compare", _with(node, ops=[*node.ops[:index], other(), *node.ops[index + 1 :]])
        case ast.BoolOp():
            yield "and-or", _with(node, op=ast.Or() if isinstance(node.op, ast.And) else ast.And())
        case ast.UnaryOp(op=ast.Not()):
            yield "negation", node.operand
        case ast.UnaryOp(op=ast.USub()) if not isinstance(node.operand, ast.Constant):
            yield "arithmetic", node.operand
        case ast.BinOp() if type(node.op) in ARITHMETIC and not _is_text_sum(node):
            yield "arithmetic", _with(node, op=ARITHMETIC[type(node.op)]())
        case ast.Constant(value=bool() as value):
            yield "constant", ast.Constant(not value)
        case ast.Constant(value=int() as value):
            yield "constant", ast.Constant(value + 1)
            less = ast.Constant(value - 1) if value else ast.UnaryOp(ast.USub(), ast.Constant(1))
            yield "constant", less
        case ast.Call():
            for keyword in node.keywords:
                if keyword.arg is not None:
                    yield "keyword", _with(node, keywords=[other for other in node.keywords if other is not keyword])
        case ast.ListComp() | ast.SetComp() | ast.DictComp() | ast.GeneratorExp():
            yield from _filters(node)


def _filters(node: ast.ListComp | ast.SetComp | ast.DictComp | ast.GeneratorExp) -> Iterator[tuple[str, ast.AST]]:
    """A comprehension without one of its conditions."""
    for index, part in enumerate(node.generators):
        for condition in part.ifs:
            less = _with(part, ifs=[other for other in part.ifs if other is not condition])
            yield "condition", _with(node, generators=[*node.generators[:index], less, *node.generators[index + 1 :]])


def _replaced(tree: ast.Module, old: ast.AST, new: ast.AST) -> ast.Module:
    """The tree with `old` exchanged; the given one stays as it is."""
    return ast.fix_missing_locations(copy.deepcopy(tree, {id(old): copy.deepcopy(new)}))


def _spliced(source: str, old: ast.expr | ast.stmt, text: str) -> str:
    """The source with the text of `old` exchanged. Columns of the syntax tree count bytes of UTF-8."""
    lines = source.encode().split(b"\n")
    assert old.end_lineno is not None
    assert old.end_col_offset is not None
    head, tail = lines[old.lineno - 1][: old.col_offset], lines[old.end_lineno - 1][old.end_col_offset :]
    lines[old.lineno - 1 : old.end_lineno] = [head + text.encode() + tail]
    return b"\n".join(lines).decode()


def _diff(before: str, after: str) -> str:
    """The one run of lines that differs: what is the same before and after it is cut off."""
    old, new = before.splitlines(), after.splitlines()
    start = 0
    while start < min(len(old), len(new)) and old[start] == new[start]:
        start += 1
    end = 0
    while end < min(len(old), len(new)) - start and old[-1 - end] == new[-1 - end]:
        end += 1
    lines = [f"- {line.strip()}" for line in old[start : len(old) - end]]
    return "\n".join(lines + [f"+ {line.strip()}" for line in new[start : len(new) - end]])


def _with(node: ast.AST, **changes: object) -> ast.AST:
    """A shallow copy with some fields exchanged."""
    fields = {name: getattr(node, name) for name in node._fields if hasattr(node, name)}
    return ast.copy_location(type(node)(**(fields | changes)), node)


def _rebinds(statement: ast.stmt, bound: set[str]) -> bool:
    """Whether an assignment only changes what exists already: attributes, items, names bound before."""
    if not isinstance(statement, ast.Assign):
        return False
    names = [node.id for target in statement.targets for node in ast.walk(target) if isinstance(node, ast.Name)]
    stored = [node for target in statement.targets for node in ast.walk(target) if _stored(node)]
    plain = {node.id for node in stored if isinstance(node, ast.Name)}
    return plain <= bound and bool(names)


def _stored(node: ast.AST) -> bool:
    """Whether a name, attribute or item is assigned to."""
    return isinstance(getattr(node, "ctx", None), ast.Store)


def _is_none(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and node.value is None


def _is_text(statement: ast.stmt) -> bool:
    """A docstring, or the dots of an abstract method."""
    return isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)


def _is_text_sum(node: ast.BinOp) -> bool:
    """Joining texts or bytes: without + it cannot run at all."""
    ends = (node.left, node.right)
    return any(isinstance(end, ast.JoinedStr) or isinstance(getattr(end, "value", None), str | bytes) for end in ends)


def _is_log(statement: ast.stmt) -> bool:
    """A log line."""
    if not (isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Call)):
        return False
    owner = getattr(statement.value.func, "value", None)
    return getattr(owner, "id", getattr(owner, "attr", None)) in LOGGERS
