"""ONNX Runtime on the processor, fp32: W, and S with U Vᵀ as a graph of three products."""

import functools
import importlib.util
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from reports.measuring.clock import Call
from reports.measuring.operands import Operands
from reports.measuring.prepared import AVAILABLE, Copies, Prepared, Setting
from sslc.runtime.features import Availability
from workloads.support.extras import how_to_install

_OPSET = 17
_IR_VERSION = 8
_Steps = tuple[tuple[str, tuple[str, ...], str], ...]
_DENSE: _Steps = (("MatMul", ("x", "w"), "y"),)
_FACTORISED: _Steps = (
    ("MatMul", ("x", "s"), "by_s"),
    ("MatMul", ("x", "v"), "inner"),
    ("MatMul", ("inner", "u"), "by_uv"),
    ("Add", ("by_s", "by_uv"), "y"),
)


def onnx_available(setting: Setting) -> Availability:
    """Whether ONNX Runtime is here and multiplies this dtype."""
    for name in ("onnx", "onnxruntime"):
        if importlib.util.find_spec(name) is None:
            return Availability(False, f"needs {name}: {how_to_install('onnx')}")
    if setting.dtype != "fp32":
        return Availability(False, f"measured in fp32 only, not {setting.dtype}")
    return AVAILABLE


def onnx_dense(operands: Operands, setting: Setting, copies: Copies) -> Prepared:
    """W X as one product."""
    return _sessions(_DENSE, {"w": operands.weight.numpy().T}, setting, copies)


def onnx_factorised(operands: Operands, setting: Setting, copies: Copies) -> Prepared:
    """S X + U (Vᵀ X), S with its zeros: ONNX Runtime has no sparse product."""
    weights = {"s": operands.sparse.numpy().T, "v": operands.v, "u": operands.u.T}
    return _sessions(_FACTORISED, weights, setting, copies)


def _sessions(
    steps: _Steps, weights: Mapping[str, NDArray[Any]], setting: Setting, copies: Copies
) -> Prepared:
    size = sum(array.nbytes for array in weights.values())
    sessions = [_session(steps, weights, setting) for _ in range(copies(size))]

    def calls(x: Tensor) -> list[Call]:
        inputs = {"x": x.numpy()}
        return [functools.partial(session.run, ["y"], inputs) for session in sessions]

    return Prepared(calls, size)


def _session(steps: _Steps, weights: Mapping[str, NDArray[Any]], setting: Setting) -> Any:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = setting.threads
    model = _model(steps, weights)
    return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])


def _model(steps: _Steps, weights: Mapping[str, NDArray[Any]]) -> bytes:
    """The graph with its weights, serialised."""
    from onnx import TensorProto, helper, numpy_helper

    graph = helper.make_graph(
        [helper.make_node(kind, list(inputs), [output]) for kind, inputs, output in steps],
        "projection",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["tokens", "columns"])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["tokens", "rows"])],
        [
            numpy_helper.from_array(np.ascontiguousarray(array), name)
            for name, array in weights.items()
        ],
    )
    opsets = [helper.make_opsetid("", _OPSET)]
    model = helper.make_model(graph, opset_imports=opsets, ir_version=_IR_VERSION)
    serialised: bytes = model.SerializeToString()
    return serialised
