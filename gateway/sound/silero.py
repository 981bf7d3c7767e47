"""Silero's network as a graph for many voices at once. Pure: the package's ONNX model in, another one out.

The packaged graph is made for one voice: its convolutions walk the batch one participant after the other, over four frames
of a spectrum. Here time is the first axis and the batch the second, so that each layer is one product of two large
matrices: the same weights and answers, in a quarter of the time.
"""

from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

Weights = dict[str, NDArray[np.float32]]

WINDOW, HOP = 256, 128
"""Samples of one spectrum, and from one to the next."""
SAMPLES = 576
"""Samples of one question: 64 of context and 512 new ones; their end is mirrored to fill the last window."""
STATE = 128


@cache
def for_batches(packaged: Path) -> bytes:
    """The model in the file `packaged`, rewritten once a process. `input` (n, 576) float32 and `state` (2, n, 128) to `output`
    (n, 1), the probability of speech, and `stateN` (2, n, 128)."""
    tensors = onnx.load(packaged).graph.initializer
    weights = {tensor.name.removeprefix("model."): numpy_helper.to_array(tensor) for tensor in tensors}
    graph = _Graph()
    spectrum = _spectrum(graph, weights["stft.forward_basis_buffer"][:, 0])
    layer = _convolution(graph, spectrum, 4, weights, "encoder.0")
    layer = _convolution(graph, layer, 4, weights, "encoder.1", stride=2)
    layer = _convolution(graph, layer, 2, weights, "encoder.2", stride=2)
    layer = _convolution(graph, layer, 1, weights, "encoder.3")
    _decide(graph, graph.add("Squeeze", layer, graph.constant(np.array([0]))), weights)
    return graph.bytes()


class _Graph:
    """Nodes and constants, named as they come."""

    def __init__(self) -> None:
        self._nodes: list[onnx.NodeProto] = []
        self._constants: list[TensorProto] = []

    def add(self, kind: str, *inputs: str, **attributes: Any) -> str:
        """The name of the node's output."""
        name = f"{kind}.{len(self._nodes)}"
        self._nodes.append(helper.make_node(kind, inputs, [name], **attributes))
        return name

    def name(self, tensor: str, final: str) -> None:
        self._nodes.append(helper.make_node("Identity", [tensor], [final]))

    def constant(self, values: NDArray[np.float32] | NDArray[np.int64]) -> str:
        name = f"constant.{len(self._constants)}"
        self._constants.append(numpy_helper.from_array(np.ascontiguousarray(values), name))
        return name

    def part(self, tensor: str, axis: int, start: int, end: int, step: int = 1) -> str:
        return self.add("Slice", tensor, *(self.constant(np.array([value])) for value in (start, end, axis, step)))

    def bytes(self) -> bytes:
        shapes: dict[str, list[str | int | None]] = {
            "input": ["n", SAMPLES],
            "state": [2, "n", STATE],
            "output": ["n", 1],
            "stateN": [2, "n", STATE],
        }
        infos = {name: helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in shapes.items()}
        graph = helper.make_graph(
            self._nodes,
            "silero",
            [infos["input"], infos["state"]],
            [infos["output"], infos["stateN"]],
            self._constants,
        )
        made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=10)
        onnx.checker.check_model(made)
        return bytes(made.SerializeToString())


def _spectrum(graph: _Graph, basis: NDArray[np.float32]) -> str:
    """Magnitudes (4, n, 129) of four windows. The last one reaches 64 samples beyond the end, where the sound is mirrored: its
    basis is folded instead, onto the last 256 samples there are."""
    last = np.zeros_like(basis)  # of samples 320 to 575; the window is 384 to 639
    last[:, 64:] = basis[:, : WINDOW - 64]
    last[:, WINDOW - 65 : WINDOW - 1] += basis[:, : WINDOW - 65 : -1]  # sample 576 + i is sample 574 - i
    windows = [
        graph.add("Unsqueeze", graph.part("input", 1, start, start + WINDOW), graph.constant(np.array([0])))
        for start in (0, HOP, 2 * HOP, SAMPLES - WINDOW)
    ]
    first = graph.add("MatMul", graph.add("Concat", *windows[:3], axis=0), graph.constant(basis.T))
    both = graph.add("Concat", first, graph.add("MatMul", windows[3], graph.constant(last.T)), axis=0)
    half = len(basis) // 2
    real, imaginary = graph.part(both, 2, 0, half), graph.part(both, 2, half, 2 * half)
    power = graph.add("Add", graph.add("Mul", real, real), graph.add("Mul", imaginary, imaginary))
    return graph.add("Sqrt", power)


def _convolution(graph: _Graph, layer: str, frames: int, weights: Weights, name: str, stride: int = 1) -> str:
    """Width three, one frame of zeros on each side, then ReLU: (frames, n, in) to (frames / stride, n, out)."""
    kernel, bias = weights[f"{name}.reparam_conv.weight"], weights[f"{name}.reparam_conv.bias"]  # (out, in, 3)
    if frames == 1:
        wide, product = layer, kernel[:, :, 1].T  # both neighbours are zeros
    else:
        sides = graph.constant(np.array([1, 0, 0, 1, 0, 0]))
        padded = graph.add("Pad", layer, sides)
        taps = [graph.part(padded, 0, tap, tap + frames, stride) for tap in range(3)]
        wide, product = graph.add("Concat", *taps, axis=2), kernel.transpose(2, 1, 0).reshape(-1, len(kernel))
    return graph.add("Relu", graph.add("Add", graph.add("MatMul", wide, graph.constant(product)), graph.constant(bias)))


def _decide(graph: _Graph, heard: str, weights: Weights) -> None:
    """One step of the LSTM, then the probability."""
    hidden, cell = (
        graph.add("Squeeze", graph.part("state", 0, which, which + 1), graph.constant(np.array([0])))
        for which in (0, 1)
    )
    product = np.concatenate((weights["decoder.rnn.weight_ih"], weights["decoder.rnn.weight_hh"]), axis=1).T
    bias = weights["decoder.rnn.bias_ih"] + weights["decoder.rnn.bias_hh"]
    both = graph.add("Concat", heard, hidden, axis=1)
    gates = graph.add("Gemm", both, graph.constant(product), graph.constant(bias))
    enter, forget, new, leave = (graph.part(gates, 1, at * STATE, (at + 1) * STATE) for at in range(4))
    kept = graph.add("Mul", graph.add("Sigmoid", forget), cell)
    cell = graph.add("Add", kept, graph.add("Mul", graph.add("Sigmoid", enter), graph.add("Tanh", new)))
    hidden = graph.add("Mul", graph.add("Sigmoid", leave), graph.add("Tanh", cell))
    front = graph.constant(np.array([0]))
    state = graph.add("Concat", *(graph.add("Unsqueeze", half, front) for half in (hidden, cell)), axis=0)
    graph.name(state, "stateN")
    weight = graph.constant(weights["decoder.decoder.2.weight"][:, :, 0].T)
    said = graph.add("Gemm", graph.add("Relu", hidden), weight, graph.constant(weights["decoder.decoder.2.bias"]))
    graph.name(graph.add("Sigmoid", said), "output")
