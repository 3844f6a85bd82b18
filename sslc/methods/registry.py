"""Methods by name: one lazy line each."""

import dataclasses
import importlib
from collections.abc import Mapping
from typing import Any

from sslc.methods.base import Method
from workloads.support.errors import unknown_name
from workloads.support.presets import build

METHODS = {
    "alps": "sslc.methods.alps:Alps",
    "dsnot": "sslc.methods.dsnot:DsNot",
    "godec": "sslc.methods.godec:GoDec",
    "magnitude": "sslc.methods.pruning:Magnitude",
    "oats": "sslc.methods.oats:Oats",
    "pruner-zero": "sslc.methods.pruning:PrunerZero",
    "ria": "sslc.methods.pruning:Ria",
    "rpca": "sslc.methods.rpca:Rpca",
    "sparsegpt": "sslc.methods.sparsegpt:SparseGpt",
    "sslc": "sslc.methods.sslc:Sslc",
    "sslc-h": "sslc.methods.sslc_h:SslcH",
    "svd": "sslc.methods.svd:Svd",
    "svd-llm": "sslc.methods.svd:SvdLlm",
    "wanda": "sslc.methods.pruning:Wanda",
}


def method_class(name: str) -> Any:
    """The class behind a name.

    Raises:
        InputError: No method has that name.
    """
    if name not in METHODS:
        raise unknown_name("method", name, METHODS)
    module, _, attribute = METHODS[name].partition(":")
    return getattr(importlib.import_module(module), attribute)


def load_method(name: str, settings: Mapping[str, Any]) -> Method:
    """A method with some of its settings changed.

    Raises:
        InputError: The method or a setting is unknown, or a value is out of range.
    """
    method: Method = build(method_class(name), settings, f"method {name}")
    return method


def default_settings(name: str) -> dict[str, Any]:
    """A method's settings and their defaults."""
    return {field.name: field.default for field in dataclasses.fields(method_class(name))}
