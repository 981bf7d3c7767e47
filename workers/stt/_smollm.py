"""SmolLM2 in this process: what would come next after a text, in one pass through onnxruntime.

llama.cpp computes the same, but only behind a server of its own, which takes the process' signals and opens a port. Its weights
are taken as they lie in the file: of each block of 32, 4 bits a weight, a scale and a least value. The scale goes into
MatMulNBits (which takes 8 off each weight), what is left of the least value into a product with the sums of the blocks.
What stands before every text is read once, and remembered.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from workers.stt._gguf import BLOCK, Gguf, Tensor, read

__all__ = ["SmolLm"]

Floats = NDArray[np.float32]

_LARGE = 4096
"""Bytes of a constant from which it is none of the model itself."""
_MOST = 1024
"""Tokens of the longest text, with what stands before."""
_OF_ONNXRUNTIME = ("GroupQueryAttention", "MatMulNBits", "SkipSimplifiedLayerNormalization")
_INT8 = 4
"""MatMulNBits' accuracy level: what enters is rounded to 8 bits, block by block, as in llama.cpp."""


class SmolLm:
    """The model, loaded. Thread-safe; compute in a thread."""

    def __init__(self, path: Path, before: str, threads: int = 1) -> None:
        """`before`: what stands before every text. ValueError: the file isn't such a model."""
        import onnxruntime

        file = read(path)
        try:
            self._tokens = _tokenizer(file.fields)
            self._embeddings = file.tensors["token_embd.weight"]
            graph = _Graph(file)
            model = graph.model()
        except KeyError as error:
            raise ValueError(f"no {error.args[0]} in it") from None
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        options.log_severity_level = 3
        self._weights = graph.large  # the session computes with these very arrays, and does not keep them
        values = [onnxruntime.OrtValue.ortvalue_from_numpy(value) for value in graph.large.values()]
        options.add_external_initializers(list(graph.large), values)
        self._session: Any = onnxruntime.InferenceSession(
            model.SerializeToString(), options, providers=["CPUExecutionProvider"]
        )
        nothing = [np.zeros((1, graph.groups, 0, graph.head), np.float32)] * (2 * graph.layers)
        self._before: list[Floats] = self._pass(self._numbers(before), nothing)[1:] if before else nothing

    def next_tokens(self, text: str) -> Floats:
        """Probabilities of what comes after `text`, by token, shape (vocabulary,)."""
        scores = self._pass(self._numbers(text)[-_MOST // 2 :], self._before)[0].reshape(-1)
        likely = np.exp(scores - scores.max())
        probabilities: Floats = likely / likely.sum()
        return probabilities

    def written(self) -> list[str]:
        """Each token as text."""
        return [self._tokens.decode([number], skip_special_tokens=False) for number in range(self._embeddings.rows)]

    def _numbers(self, text: str) -> list[int]:
        numbers: list[int] = self._tokens.encode(text, add_special_tokens=False).ids
        return numbers

    def _pass(self, tokens: Sequence[int], past: Sequence[Floats]) -> list[Floats]:
        """The scores of what comes next; then keys and values of each layer, `past` and those of `tokens`: shape (1, groups,
        tokens, width of a head)."""
        whole = past[0].shape[2] + len(tokens)
        asked = {
            "entering": _rows(self._embeddings, tokens)[None],
            "last": np.array([whole - 1], np.int32),
            "whole": np.array(whole, np.int32),
        }
        answers: list[Floats] = self._session.run(None, asked | {f"past.{n}": one for n, one in enumerate(past)})
        return answers


def _tokenizer(fields: dict[str, Any]) -> Any:
    """The model's own, as its file tells it: bytes in pairs, digits each by itself."""
    from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers

    if (fields["tokenizer.ggml.model"], fields["tokenizer.ggml.pre"]) != ("gpt2", "smollm"):
        raise ValueError("not the tokens of a SmolLM")
    names = fields["tokenizer.ggml.tokens"]
    merges = [tuple(merge.split(" ", 1)) for merge in fields["tokenizer.ggml.merges"]]
    made = Tokenizer(models.BPE({name: number for number, name in enumerate(names)}, merges))
    made.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False)]
    )
    made.decoder = decoders.ByteLevel()
    control = [name for name, kind in zip(names, fields["tokenizer.ggml.token_type"], strict=True) if kind == 3]
    made.add_special_tokens([AddedToken(name, special=True, normalized=False) for name in control])
    return made


def _rows(tensor: Tensor, numbers: Sequence[int]) -> Floats:
    """Rows of a tensor of 8 bits, as numbers."""
    raw = tensor.raw[list(numbers)]
    scales = raw[..., :2].copy().view(np.float16).astype(np.float32)
    weights: Floats = scales * raw[..., 2:].copy().view(np.int8).astype(np.float32)
    return weights.reshape(len(numbers), tensor.columns)


class _Graph:
    """From the file's tensors to a graph of `layers`: what enters are embeddings, what leaves are scores of the next token."""

    def __init__(self, file: Gguf) -> None:
        told, self._tensors = file.fields, file.tensors
        if told["general.architecture"] != "llama":
            raise ValueError(f"a model of kind {told['general.architecture']}, expected llama")
        self.layers = int(told["llama.block_count"])
        self.heads, self.groups = int(told["llama.attention.head_count"]), int(told["llama.attention.head_count_kv"])
        self.width = int(told["llama.embedding_length"])
        self.head = self.width // self.heads
        self._inner = int(told["llama.feed_forward_length"])
        self._base = float(told["llama.rope.freq_base"])
        self._epsilon = float(told["llama.attention.layer_norm_rms_epsilon"])
        self._nodes: list[Any] = []
        self._constants: list[Any] = []
        self.large: dict[str, NDArray[Any]] = {}
        """Constants that are handed over beside the model: within it they would be copied again and again."""

    def model(self) -> Any:
        from onnx import TensorProto, helper

        self._turns()
        self._constant("by blocks", np.array([0, 0, -1, BLOCK], np.int64))
        self._constant("in a block", np.array([3], np.int64))
        hidden, normed = "entering", self._norm("entering", "blk.0.attn_norm.weight")
        for place in range(self.layers):
            hidden, normed = self._layer(place, hidden, normed)
        self._constant("-1", np.array([-1], np.int64))
        self._constant("end", np.array([np.iinfo(np.int64).max], np.int64))
        self._constant("positions", np.array([1], np.int64))
        last = self._node("Slice", [normed, "-1", "end", "positions"])
        scores = self._eight_bits("token_embd.weight", last)
        floats, integers = TensorProto.FLOAT, TensorProto.INT32
        shape = [1, self.groups, None, self.head]
        graph = helper.make_graph(
            self._nodes,
            "smollm",
            [
                helper.make_tensor_value_info("entering", floats, [1, None, self.width]),
                helper.make_tensor_value_info("last", integers, [1]),
                helper.make_tensor_value_info("whole", integers, []),
                *(helper.make_tensor_value_info(f"past.{n}", floats, shape) for n in range(2 * self.layers)),
            ],
            [
                helper.make_tensor_value_info(scores, floats, None),
                *(helper.make_tensor_value_info(f"present.{n}", floats, shape) for n in range(2 * self.layers)),
            ],
            self._constants,
        )
        opsets = [helper.make_opsetid("", 21), helper.make_opsetid("com.microsoft", 1)]
        return helper.make_model(graph, opset_imports=opsets, ir_version=10)

    def _layer(self, place: int, hidden: str, normed: str) -> tuple[str, str]:
        """What a layer adds to `hidden`, and that as the next one takes it."""
        name = f"blk.{place}."
        joined = self._four_bits([f"{name}attn_{one}.weight" for one in "qkv"], normed)
        keys, values = 2 * place, 2 * place + 1
        seen, *_ = self._nodes_of(
            "GroupQueryAttention",
            [joined, "", "", f"past.{keys}", f"past.{values}", "last", "whole", "cosines", "sines"],
            [f"{name}seen", f"present.{keys}", f"present.{values}"],
            num_heads=self.heads, kv_num_heads=self.groups, do_rotary=1, rotary_interleaved=1,
        )  # fmt: skip
        seen = self._four_bits([f"{name}attn_output.weight"], seen)
        hidden, normed = self._added(hidden, seen, f"{name}ffn_norm.weight")
        both = self._four_bits([f"{name}ffn_gate.weight", f"{name}ffn_up.weight"], normed)
        gate, up = self._nodes_of("Split", [both], [f"{name}gate", f"{name}up"], axis=-1, num_outputs=2)
        open_by = self._node("Mul", [gate, self._node("Sigmoid", [gate])])
        grown = self._four_bits([f"{name}ffn_down.weight"], self._node("Mul", [open_by, up]))
        after = f"blk.{place + 1}.attn_norm.weight" if place + 1 < self.layers else "output_norm.weight"
        return self._added(hidden, grown, after)

    # ── pieces ───────────────────────────────────────────────────────────────────────────────────────────────────────

    def _four_bits(self, names: Sequence[str], entering: str) -> str:
        """`entering` times the weights of tensors that are stored in 4 bits, side by side."""
        tensors = [self._tensors[name] for name in names]
        if any(tensor.kind != "q4_1" for tensor in tensors):
            raise ValueError(f"{names[0]} is stored as {tensors[0].kind}, expected q4_1")
        raw = np.concatenate([tensor.raw for tensor in tensors])
        scales = raw[..., 0:2].copy().view(np.float16)[..., 0].astype(np.float32)
        least = raw[..., 2:4].copy().view(np.float16)[..., 0].astype(np.float32) + 8 * scales
        ordered = np.concatenate([raw[..., 4:] & 15, raw[..., 4:] >> 4], axis=-1)  # halves of a block share its bytes
        packed = ordered[..., 0::2] | ordered[..., 1::2] << 4
        name = names[0]
        made = self._times(name, packed, scales, entering, tensors[0].columns, bits=4)
        self._constant(f"{name}.least", np.ascontiguousarray(least.T))
        blocks = self._node("Reshape", [entering, "by blocks"])
        sums = self._node("ReduceSum", [blocks, "in a block"], keepdims=0)
        return self._node("Add", [made, self._node("MatMul", [sums, f"{name}.least"])])

    def _eight_bits(self, name: str, entering: str) -> str:
        tensor = self._tensors[name]
        if tensor.kind != "q8_0":
            raise ValueError(f"{name} is stored as {tensor.kind}, expected q8_0")
        scales = tensor.raw[..., :2].copy().view(np.float16)[..., 0].astype(np.float32)
        return self._times(name, tensor.raw[..., 2:] ^ np.uint8(128), scales, entering, tensor.columns, bits=8)

    def _times(
        self, name: str, weights: NDArray[np.uint8], scales: Floats, entering: str, columns: int, *, bits: int
    ) -> str:
        self._constant(name, weights)
        self._constant(f"{name}.scales", scales)
        return self._node(
            "MatMulNBits", [entering, name, f"{name}.scales"],
            K=columns, N=len(weights), bits=bits, block_size=BLOCK, accuracy_level=_INT8,
        )  # fmt: skip

    def _norm(self, entering: str, name: str) -> str:
        self._vector(name)
        return self._node("SimplifiedLayerNormalization", [entering, name], axis=-1, epsilon=self._epsilon)

    def _added(self, hidden: str, more: str, name: str) -> tuple[str, str]:
        """The sum of both, and that normed by the vector `name`."""
        self._vector(name)
        made = self._nodes_of(
            "SkipSimplifiedLayerNormalization", [hidden, more, name], [f"{name}.normed", "", "", f"{name}.sum"],
            epsilon=self._epsilon,
        )  # fmt: skip
        return made[3], made[0]

    def _turns(self) -> None:
        """By how much each pair of a head is turned at each position."""
        speeds = self._base ** (-np.arange(0, self.head, 2, dtype=np.float64) / self.head)
        angles = np.arange(_MOST)[:, None] * speeds
        self._constant("cosines", np.cos(angles).astype(np.float32))
        self._constant("sines", np.sin(angles).astype(np.float32))

    def _vector(self, name: str) -> None:
        tensor = self._tensors[name]
        if tensor.kind != "f32":
            raise ValueError(f"{name} is stored as {tensor.kind}, expected f32")
        self._constant(name, tensor.raw.reshape(-1).view(np.float32))

    def _constant(self, name: str, value: NDArray[Any]) -> None:
        from onnx import TensorProto, helper, numpy_helper

        value = np.ascontiguousarray(value)
        if value.nbytes < _LARGE:
            self._constants.append(numpy_helper.from_array(value, name))
            return
        self.large[name] = value
        kind = helper.np_dtype_to_tensor_dtype(value.dtype)
        declared = TensorProto(name=name, data_type=kind, dims=value.shape, data_location=TensorProto.EXTERNAL)
        declared.external_data.add(key="location", value="beside")
        self._constants.append(declared)

    def _node(self, kind: str, inputs: Sequence[str], **told: Any) -> str:
        return self._nodes_of(kind, inputs, [f"{kind} {len(self._nodes)}"], **told)[0]

    def _nodes_of(self, kind: str, inputs: Sequence[str], outputs: Sequence[str], **told: Any) -> Sequence[str]:
        from onnx import helper

        domain = "com.microsoft" if kind in _OF_ONNXRUNTIME else ""
        self._nodes.append(helper.make_node(kind, inputs, outputs, domain=domain, **told))
        return outputs
