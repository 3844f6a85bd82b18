"""Methods by name: one lazy line each."""

import ast
import importlib
import importlib.util
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sslc.methods.precision import PRECISION_SETTINGS, Precision
from workloads.support.errors import unknown_name
from workloads.support.presets import build

if TYPE_CHECKING:
    from sslc.methods.base import Method

METHODS = {
    "3basil": "sslc.methods.basil:ThreeBasil",
    "alps": "sslc.methods.alps:Alps",
    "dsnot": "sslc.methods.dsnot:DsNot",
    "eora": "sslc.methods.compensated:EoRA",
    "godec": "sslc.methods.godec:GoDec",
    "gptq": "sslc.methods.quantizers:Gptq",
    "hassle-free-alps": "sslc.methods.hassle_free:HassleFreeAlps",
    "magnitude": "sslc.methods.pruning:Magnitude",
    "oats": "sslc.methods.oats:Oats",
    "pruner-zero": "sslc.methods.pruning:PrunerZero",
    "ria": "sslc.methods.pruning:Ria",
    "rpca": "sslc.methods.rpca:Rpca",
    "rtn": "sslc.methods.quantizers:Rtn",
    "slim": "sslc.methods.compensated:Slim",
    "sparsegpt": "sslc.methods.sparsegpt:SparseGpt",
    "sparseswaps": "sslc.methods.sparseswaps:SparseSwaps",
    "sslc": "sslc.methods.sslc:Sslc",
    "sslc-d": "sslc.methods.sslc_d:SslcD",
    "sslc-h": "sslc.methods.sslc_h:SslcH",
    "svd": "sslc.methods.svd:Svd",
    "svd-llm": "sslc.methods.svd:SvdLlm",
    "wanda": "sslc.methods.pruning:Wanda",
}

QUANTIZERS: Mapping[str, Mapping[str, Any]] = {
    "gptq": {"value_bits": 8, "rounding_shrinkage": 0.0},
    "rtn": {"value_bits": 8, "rounding": "nearest"},
}
"""Methods that do nothing but round, and their own precision."""


@dataclass(frozen=True)
class RunDefaults:
    """What a run of a method takes where the user names nothing.

    Attributes:
        calibration: Sources of its text (``calibration.windows``).
        refine: What is trained afterwards (``refinement.stages``).
        windows: Of the calibration.
    """

    calibration: str = "embedded"
    refine: str = "none"
    windows: int = 16


_OWN = {"sslc-d": RunDefaults("embedded:16,self:16", "logits", 32)}
"""Of methods that are a whole recipe."""


def run_defaults(name: str) -> RunDefaults:
    """A method's own text and refinement, or those of most."""
    return _OWN.get(name, RunDefaults())


def method_class(name: str) -> Any:
    """The class behind a name.

    Raises:
        InputError: No method has that name.
    """
    if name not in METHODS:
        raise unknown_name("method", name, METHODS)
    module, _, attribute = METHODS[name].partition(":")
    return getattr(importlib.import_module(module), attribute)


def load_method(name: str, settings: Mapping[str, Any]) -> "Method":
    """A method with some of its settings changed.

    Raises:
        InputError: The method or a setting is unknown, or a value is out of range.
    """
    own = {key: value for key, value in settings.items() if key not in PRECISION_SETTINGS}
    method: Method = build(method_class(name), own, f"method {name}")
    asked = {key: value for key, value in settings.items() if key in PRECISION_SETTINGS}
    if not asked and name not in QUANTIZERS:
        return method
    from sslc.methods.rounded import Rounded

    return Rounded(
        method, build(Precision, {**QUANTIZERS.get(name, {}), **asked}, f"method {name}")
    )


@dataclass(frozen=True)
class Description:
    """A method as lists show it.

    Attributes:
        summary: The first line of its docstring.
        settings: Its settings and their defaults.
    """

    summary: str
    settings: Mapping[str, Any]


def describe(name: str) -> Description:
    """A method's summary and settings, from its source: importing it would load torch.

    Raises:
        InputError: No method has that name.
    """
    if name not in METHODS:
        raise unknown_name("method", name, METHODS)
    module, _, attribute = METHODS[name].partition(":")
    spec = importlib.util.find_spec(module)
    assert spec is not None
    assert spec.origin is not None
    tree = ast.parse(Path(spec.origin).read_text(encoding="utf-8"))
    classes = (node for node in tree.body if isinstance(node, ast.ClassDef))
    found = next(node for node in classes if node.name == attribute)
    fields = (node for node in found.body if isinstance(node, ast.AnnAssign))
    settings = {
        ast.unparse(field.target): ast.literal_eval(field.value)
        for field in fields
        if field.value is not None and not ast.unparse(field.annotation).startswith("ClassVar")
    }
    return Description((ast.get_docstring(found) or "").partition("\n")[0], settings)
