"""The network as an ONNX file, which other runtimes and languages read."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from parity_flwr.app.tabular.fitted import FittedModel
from parity_flwr.errors import MissingExtraError
from parity_flwr.files import atomic_file

INPUT, OUTPUT = "inputs", "outputs"
_OPSET = 13  # of 2020: Gemm, Relu and Softmax have not changed since
_IR = 8


def write_onnx(path: Path, model: FittedModel) -> None:
    """Write Gemm and Relu for each layer, then Softmax, or the target's own units.

    ``inputs`` are float32, shape (n, features), as ``encoding.json`` makes them; ``outputs``
    probabilities (n, classes), or numbers (n, 1).

    Raises
    ------
    MissingExtraError
        If onnx is not installed.
    """
    try:
        from onnx import TensorProto, checker, helper
    except ImportError as error:
        raise MissingExtraError("writing an ONNX file", extra="onnx") from error
    nodes, constants = _nodes(model)
    shapes = {INPUT: model.features, OUTPUT: len(model.classes) or 1}
    (given, found) = (
        helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n", width])
        for name, width in shapes.items()
    )
    graph = helper.make_graph(nodes, "table", [given], [found], constants)
    opset = helper.make_opsetid("", _OPSET)
    made = helper.make_model(graph, opset_imports=[opset], ir_version=_IR)
    checker.check_model(made)
    with atomic_file(path) as file:
        file.write(made.SerializeToString())


def _nodes(model: FittedModel) -> tuple[list[Any], list[Any]]:
    """Return the graph's operators and its constants."""
    from onnx import helper, numpy_helper

    constants: list[Any] = []

    def constant(name: str, value: Any) -> str:
        constants.append(numpy_helper.from_array(np.asarray(value, np.float32), name))
        return name

    nodes, last = [], INPUT
    for k, (weight, bias) in enumerate(model.layers):
        names = [constant(f"weight{k}", weight), constant(f"bias{k}", bias)]
        nodes.append(helper.make_node("Gemm", [last, *names], [f"layer{k}"], transB=1))
        last = f"layer{k}"
        if k + 1 < len(model.layers):
            nodes.append(helper.make_node("Relu", [last], [f"hidden{k}"]))
            last = f"hidden{k}"
    if model.classes:
        return [*nodes, helper.make_node("Softmax", [last], [OUTPUT], axis=1)], constants
    wide = helper.make_node("Mul", [last, constant("scale", model.scale)], ["wide"])
    moved = helper.make_node("Add", ["wide", constant("centre", model.centre)], [OUTPUT])
    return [*nodes, wide, moved], constants
