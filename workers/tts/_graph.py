"""A voice's graph, taken apart. Pure: ONNX models in, ONNX models out.

A Piper voice (VITS) is one graph: text encoder and durations, then the flow from a noisy prior to the latent, then the
decoder that turns each latent frame into `hop` samples. Whole, it speaks only when the sentence is done. Cut in three,
the decoder runs on the first frames while the rest waits, and the flow on what those frames need.

The noise comes from a fixed table: the same text gives the same sound, in every process, so that a clip whose worker
died is continued at the sample where it stopped.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import onnx
from onnx import GraphProto, ModelProto, NodeProto, TensorProto, helper, numpy_helper

FLOW_CONTEXT = 32
"""Frames on each side on which a frame of the latent depends: four flows of four convolutions of width five."""
DECODER_CONTEXT = 12
"""Frames on each side beyond which the decoder's sound no longer changes (tried: equal from 12 on)."""

_NOISE = 1 << 18
"""Length of the noise table: 16 s of a medium voice pass before it comes round."""


@dataclass(frozen=True, slots=True)
class Cut:
    """One of a voice's graphs as far as it could be taken apart.

    `encoder`: text to `durations` (frames per input id) and, if cut, `prior` and the tensors beside it; `flow`: `prior` to
    `latent`, None where the encoder already gives the latent; `decoder`: `latent` to sound, None where the encoder
    already gives the sound. `flow_sides`, `decoder_sides`: what else enters them; those in `framed` have one
    column per frame, the others (a speaker) are handed over whole. `sound`: the name of the output.
    """

    encoder: ModelProto | None
    durations: str
    sound: str
    decoder: ModelProto | None = None
    latent: str = ""
    decoder_sides: tuple[str, ...] = ()
    flow: ModelProto | None = None
    prior: str = ""
    flow_sides: tuple[str, ...] = ()
    framed: tuple[str, ...] = ()


class _Wiring:
    """Who makes and who takes each tensor of a graph."""

    def __init__(self, graph: GraphProto) -> None:
        self.graph = graph
        self.maker: dict[str, NodeProto] = {name: node for node in graph.node for name in node.output}
        self.takers: dict[str, list[NodeProto]] = {}
        for node in graph.node:
            for name in node.input:
                self.takers.setdefault(name, []).append(node)

    def after(self, tensor: str) -> set[str]:
        """All tensors that depend on `tensor`, itself included."""
        found, waiting = {tensor}, [tensor]
        while waiting:
            for node in self.takers.get(waiting.pop(), ()):
                for name in node.output:
                    if name not in found:
                        found.add(name)
                        waiting.append(name)
        return found

    def before(self, tensors: Iterable[str]) -> set[str]:
        """All tensors that `tensors` depend on, themselves included."""
        found = set(tensors)
        waiting = list(found)
        while waiting:
            node = self.maker.get(waiting.pop())
            for name in node.input if node is not None else ():
                if name and name not in found:
                    found.add(name)
                    waiting.append(name)
        return found

    def live(self) -> set[str]:
        """All tensors that depend on an input of the graph; the rest are constants."""
        found: set[str] = set()
        for one in self.graph.input:
            found |= self.after(one.name)
        return found

    def entering(self, nodes: Sequence[NodeProto], live: set[str]) -> list[str]:
        """Live tensors that `nodes` take and others make, in order of their use."""
        made = {name for node in nodes for name in node.output}
        return list(dict.fromkeys(n for node in nodes for n in node.input if n in live and n not in made))


def cut(model: ModelProto) -> Iterator[Cut]:
    """The ways `model` can be taken apart, the furthest first; the last is the whole graph. ValueError when it is no Piper
    voice. `model` is changed: its noise becomes a table."""
    graph = model.graph
    durations = _durations(graph)
    _fix_noise(graph)
    wiring = _Wiring(graph)
    live = wiring.live()
    sound = graph.output[0].name
    inputs = [one.name for one in graph.input]
    framed = wiring.after(durations)

    decoder_nodes = [node for node in graph.node if node.name.startswith("/dec/")]
    latents = [name for name in wiring.entering(decoder_nodes, live) if name in framed]
    if len(latents) == 1:
        latent = latents[0]
        inside = wiring.after(latent) - {latent}
        nodes = [node for node in graph.node if set(node.output) & inside]
        decoder_sides = tuple(name for name in wiring.entering(nodes, live) if name != latent)
        if not framed & set(decoder_sides):
            decoder = _subgraph(model, [latent, *decoder_sides], [sound])
            yield from _cut_flow(model, wiring, live, framed, durations, latent, decoder, decoder_sides)
            encoder = _subgraph(model, inputs, [durations, latent, *decoder_sides])
            yield Cut(encoder, durations, sound, decoder, latent, decoder_sides)
    yield Cut(_subgraph(model, inputs, [durations, sound]), durations, sound)


def _cut_flow(
    model: ModelProto, wiring: _Wiring, live: set[str], framed: set[str], durations: str,
    latent: str, decoder: ModelProto, decoder_sides: tuple[str, ...],
) -> Iterator[Cut]:  # fmt: skip
    """The cut in three, if the noisy prior can be found."""
    prior = _prior(wiring, framed)
    if prior is None or latent not in (inside := wiring.after(prior)):
        return
    needed = (inside & wiring.before([latent])) - {prior}
    nodes = [node for node in wiring.graph.node if set(node.output) & needed]
    sides = tuple(name for name in wiring.entering(nodes, live) if name != prior)
    inputs = [one.name for one in wiring.graph.input]
    kept = list(dict.fromkeys([durations, prior, *sides, *decoder_sides]))
    yield Cut(
        encoder=_subgraph(model, inputs, kept),
        durations=durations,
        sound=wiring.graph.output[0].name,
        decoder=decoder,
        latent=latent,
        decoder_sides=decoder_sides,
        flow=_subgraph(model, [prior, *sides], [latent]),
        prior=prior,
        flow_sides=sides,
        framed=tuple(name for name in sides if name in framed),
    )


def _durations(graph: GraphProto) -> str:
    """The tensor of frames per input id: the one that is rounded up."""
    names = [str(node.output[0]) for node in graph.node if node.op_type == "Ceil"]
    if len(names) != 1:
        raise ValueError(f"expected one tensor of phoneme lengths (Ceil), found {len(names)}")
    return names[0]


def _prior(wiring: _Wiring, framed: set[str]) -> str | None:
    """Mean plus scaled noise: follow the noise that has one column per frame through its products to the first sum."""
    for node in wiring.graph.node:
        if not node.name.startswith(_NOISE_NODE) or node.output[0] not in framed:
            continue
        tensor = str(node.output[0])
        while len(takers := wiring.takers.get(tensor, [])) == 1:
            tensor = str(takers[0].output[0])
            if takers[0].op_type == "Add":
                return tensor
            if takers[0].op_type != "Mul":
                break
    return None


_NOISE_NODE = "antiphon/noise"


def _fix_noise(graph: GraphProto) -> None:
    """Put a lookup in a fixed table in the place of every random node: the table's first values, in the shape asked for."""
    nodes = list(graph.node)
    random = [place for place, node in enumerate(nodes) if node.op_type == "RandomNormalLike"]
    for place in reversed(random):
        nodes[place : place + 1] = _table_nodes(graph, nodes[place], f"antiphon/{place}")
    del graph.node[:]
    graph.node.extend(nodes)


def _table_nodes(graph: GraphProto, node: NodeProto, prefix: str) -> list[NodeProto]:
    given = {one.name: one.f for one in node.attribute if one.name in ("mean", "scale")}
    table = np.random.Generator(np.random.PCG64(1)).standard_normal(_NOISE).astype(np.float32)
    table = table * np.float32(given.get("scale", 1.0)) + np.float32(given.get("mean", 0.0))
    for name, value in (
        ("table", table),
        ("zero", np.array(0, np.int64)),
        ("one", np.array(1, np.int64)),
        ("length", np.array(_NOISE, np.int64)),
    ):
        graph.initializer.append(numpy_helper.from_array(value, f"{prefix}/{name}"))
    return [
        helper.make_node("Shape", [node.input[0]], [f"{prefix}/shape"]),
        helper.make_node("ReduceProd", [f"{prefix}/shape"], [f"{prefix}/count"], keepdims=0),
        helper.make_node("Range", [f"{prefix}/zero", f"{prefix}/count", f"{prefix}/one"], [f"{prefix}/places"]),
        helper.make_node("Mod", [f"{prefix}/places", f"{prefix}/length"], [f"{prefix}/round"]),
        helper.make_node("Gather", [f"{prefix}/table", f"{prefix}/round"], [f"{prefix}/values"]),
        helper.make_node(
            "Reshape", [f"{prefix}/values", f"{prefix}/shape"], [node.output[0]], name=f"{_NOISE_NODE}/{prefix}"
        ),
    ]


def _subgraph(model: ModelProto, inputs: Sequence[str], outputs: Sequence[str]) -> ModelProto:
    """The part of `model` that makes `outputs` from `inputs`. Tensors at a cut are float; their shapes stay open."""
    wiring = _Wiring(model.graph)
    known = {one.name: one for one in [*model.graph.input, *model.graph.output]}
    needed, waiting = set[str](), list(outputs)
    while waiting:
        name = waiting.pop()
        if name in needed or name in inputs or not name:
            continue
        needed.add(name)
        if name in wiring.maker:
            waiting.extend(wiring.maker[name].input)
    nodes = [node for node in model.graph.node if needed & set(node.output)]
    used = {name for node in nodes for name in node.input}

    def info(name: str) -> onnx.ValueInfoProto:
        return known.get(name) or helper.make_tensor_value_info(name, TensorProto.FLOAT, None)

    graph = helper.make_graph(
        nodes,
        model.graph.name or "voice",
        [info(name) for name in inputs],
        [info(name) for name in outputs],
        [one for one in model.graph.initializer if one.name in used],
    )
    return helper.make_model(graph, opset_imports=model.opset_import, ir_version=model.ir_version)
