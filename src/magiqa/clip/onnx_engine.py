"""Towers -> ONNX graph -> ONNX Runtime session."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from magiqa.atomic import replacing
from magiqa.clip import towers
from magiqa.clip.towers import Floats
from magiqa.clip.weights import Checkpoint
from magiqa.errors import OutputError, SettingsError, WeightsError, nearest

if TYPE_CHECKING:
    import onnx

GRAPH_VERSION = 1  # part of the cache's file names: raise it when towers.py changes the graph
OPSET = 17
DATA = "weights.data"


class OnnxEncoder:
    """The image tower of a checkpoint on ONNX Runtime."""

    def __init__(
        self,
        checkpoint: Checkpoint,
        positional_embedding: bool = False,
        threads: int | None = None,
        provider: str | None = None,
        whole: bool = False,
    ) -> None:
        """Open the cached graph, building it first if this checkpoint has none.

        `threads` None leaves the number to ONNX Runtime; with `whole` it takes pictures of any
        size, one by one. Raises SettingsError for a provider that is not there and a backbone that
        takes 224x224 alone, WeightsError and OutputError for what stands in the way of the graph.
        """
        if whole:
            towers.check_whole(checkpoint.architecture)
        graph = _image_graph(checkpoint, positional_embedding, whole)
        self._session = _session(str(graph), threads, provider)
        self.dimensions: int = self._session.get_outputs()[0].shape[1]
        self.engine = f"onnxruntime {runtime().__version__} {self._session.get_providers()[0]}"

    def __call__(self, views: Floats) -> Floats:
        """Views (N, 3, 224, 224), values 0..255 -> unnormalised embeddings (N, D).

        With `whole`, one picture (1, 3, H, W) with no side under 32 -> (1, D). Raises MemoryError
        when there is none for so many views.
        """
        try:
            embeddings: Floats = self._session.run(None, {"views": views})[0]
        except Exception as error:  # ONNX Runtime's exceptions share no narrower base
            if "alloc" in str(error).lower() or "out of memory" in str(error).lower():
                raise MemoryError(str(error)) from error
            raise
        return embeddings


def encode_text(checkpoint: Checkpoint, token_ids: Sequence[Sequence[int]]) -> Floats:
    """Prompts' token ids, start and end token included -> text embeddings (P, D), unnormalised."""
    architecture = checkpoint.architecture
    length = max(map(len, token_ids))
    table = checkpoint.read("token_embedding.weight")
    x = np.zeros((len(token_ids), length, architecture.text_width), np.float32)
    end = np.zeros((len(token_ids), 1, length), np.float32)
    for row, ids in enumerate(token_ids):
        x[row, : len(ids)] = table[list(ids)]
        end[row, 0, len(ids) - 1] = 1
    x += checkpoint.read("positional_embedding")[:length]
    del table
    weights = towers.prepare_text(checkpoint.read, architecture, length)
    ops = OnnxOps(weights)
    output = towers.text_tower(ops, ops.names, architecture, length, "tokens", "end")
    inputs = {"tokens": list(x.shape), "end": list(end.shape)}
    model = ops.model(inputs, output, [len(token_ids), 1, architecture.embedding])
    embeddings: Floats = _session(model.SerializeToString(), None, None, ops.weights).run(
        None, {"tokens": x, "end": end}
    )[0]
    return embeddings[:, 0]


def available_cores() -> int:
    """Cores that this process may use."""
    if sys.platform == "linux":
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


class OnnxOps:
    """The operations of `towers.Ops` as nodes of an ONNX graph; tensors are names."""

    def __init__(self, weights: Mapping[str, Floats]) -> None:
        self.weights = dict(weights)
        self.names = {name: name for name in weights}
        self._nodes: list[onnx.NodeProto] = []
        self._constants: dict[str, onnx.TensorProto] = {}

    def add(self, a: str, b: str) -> str:
        return self._node("Add", [a, b])

    def subtract(self, a: str, b: str) -> str:
        return self._node("Sub", [a, b])

    def matmul(self, a: str, b: str) -> str:
        return self._node("MatMul", [a, b])

    def quick_gelu(self, x: str) -> str:
        gate = self._node("Sigmoid", [self._node("Mul", [x, self._constant(np.float32(1.702))])])
        return self._node("Mul", [x, gate])

    def softmax(self, x: str) -> str:
        return self._node("Softmax", [x], axis=-1)

    def layer_norm(self, x: str, weight: str, bias: str) -> str:
        return self._node("LayerNormalization", [x, weight, bias], epsilon=towers.EPSILON)

    def mean(self, x: str, axis: int) -> str:
        return self._node("ReduceMean", [x], axes=[axis], keepdims=1)

    def conv(self, x: str, weight: str, bias: str | None, stride: int, padding: int) -> str:
        inputs = [x, weight] if bias is None else [x, weight, bias]
        return self._node("Conv", inputs, strides=[stride] * 2, pads=[padding] * 4)

    def conv_relu(
        self, x: str, weight: str, bias: str, stride: int, padding: int, plus: str | None = None
    ) -> str:
        y = self.conv(x, weight, bias, stride, padding)
        return self._node("Relu", [y if plus is None else self.add(y, plus)])

    def average_pool(self, x: str, size: int) -> str:
        return self._node("AveragePool", [x], kernel_shape=[size] * 2, strides=[size] * 2)

    def reshape(self, x: str, shape: Sequence[int]) -> str:
        return self._node("Reshape", [x, self._integers(shape)])

    def transpose(self, x: str, axes: Sequence[int]) -> str:
        return self._node("Transpose", [x], perm=list(axes))

    def concat(self, xs: Sequence[str], axis: int) -> str:
        return self._node("Concat", list(xs), axis=axis)

    def split(self, x: str, parts: int) -> Sequence[str]:
        return self._nodes_out("Split", [x], parts, axis=-1)

    def first_row(self, x: str) -> str:
        return self._node("Gather", [x, self._constant(np.int64(0))], axis=1)

    def prepend_zeros(self, x: str) -> str:
        return self._node("Pad", [x, self._integers((0, 1, 0, 0, 0, 0))])

    def model(
        self, inputs: Mapping[str, Sequence[int | str]], output: str, shape: Sequence[int | str]
    ) -> onnx.ModelProto:
        """The whole graph; its weights are external data, back to back in a file named DATA."""
        from onnx import TensorProto, helper

        def value(name: str, shape: Sequence[int | str]) -> onnx.ValueInfoProto:
            return helper.make_tensor_value_info(name, TensorProto.FLOAT, list(shape))

        graph = helper.make_graph(
            self._nodes,
            "magiqa",
            [value(name, shape) for name, shape in inputs.items()],
            [value(output, shape)],
            [*self._constants.values(), *_external(self.weights)],
        )
        opsets = [helper.make_opsetid("", OPSET)]
        return helper.make_model(graph, opset_imports=opsets, ir_version=8, producer_name="magiqa")

    def _node(self, operator: str, inputs: list[str], **attributes: Any) -> str:
        return self._nodes_out(operator, inputs, 1, **attributes)[0]

    def _nodes_out(
        self, operator: str, inputs: list[str], count: int, **attributes: Any
    ) -> list[str]:
        from onnx import helper

        outputs = [f"{operator.lower()}_{len(self._nodes)}_{part}" for part in range(count)]
        self._nodes.append(helper.make_node(operator, inputs, outputs, **attributes))
        return outputs

    def _integers(self, values: Sequence[int]) -> str:
        return self._constant(np.asarray(values, np.int64))

    def _constant(self, values: NDArray[Any] | np.generic) -> str:
        from onnx import numpy_helper

        array = np.asarray(values)
        name = f"constant_{'_'.join(map(str, array.ravel()))}_{array.ndim}"
        self._constants[name] = numpy_helper.from_array(array, name)
        return name


def runtime() -> Any:
    """ONNX Runtime, kept quiet: some of its builds report to their makers unless told not to.

    It looks when it is imported. What the user has set wins.
    """
    os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
    import onnxruntime

    return onnxruntime


def _external(weights: Mapping[str, Floats]) -> list[onnx.TensorProto]:
    """Initializers that point into the data file, in the order the weights are written there."""
    from onnx import TensorProto

    tensors, offset = [], 0
    for name, values in weights.items():
        tensor = TensorProto(name=name, data_type=TensorProto.FLOAT, dims=values.shape)
        tensor.data_location = TensorProto.EXTERNAL
        place = {"location": DATA, "offset": offset, "length": values.nbytes}
        for key, value in place.items():
            tensor.external_data.add(key=key, value=str(value))
        tensors.append(tensor)
        offset += values.nbytes
    return tensors


def _image_graph(checkpoint: Checkpoint, positional_embedding: bool, whole: bool) -> Path:
    """The image tower's portable graph in the cache; built and written when it is not there.

    The graph for whole pictures lies beside the other one: they share their data.
    """
    positions = "-positions" if positional_embedding else ""
    folder = checkpoint.cache / f"image{positions}-v{GRAPH_VERSION}"
    graph = folder / ("whole.onnx" if whole else "tower.onnx")
    if graph.exists():
        return graph
    architecture = checkpoint.architecture
    weights = towers.prepare_image(checkpoint.read, architecture, positional_embedding)
    ops = OnnxOps(weights)
    output = towers.image_tower(ops, ops.names, architecture, "views", whole)
    views: list[int | str] = ["N", 3, towers.VIEW_SIDE, towers.VIEW_SIDE]
    if whole:
        views = [1, 3, "H", "W"]
    model = ops.model({"views": views}, output, [views[0], architecture.embedding])
    try:
        if not (folder / DATA).exists():  # the other graph's, the same
            with replacing(folder / DATA) as part, part.open("wb") as file:
                for values in weights.values():
                    file.write(np.ascontiguousarray(values).data)
        with replacing(graph) as part:  # last: a graph that is there is whole
            part.write_bytes(model.SerializeToString())
    except OSError as error:
        raise OutputError(
            f"{folder} - the cache cannot be written ({error.strerror}) - free some space, or set "
            f"MAGIQA_CACHE to a folder that can"
        ) from error
    return graph


def _session(
    model: str | bytes,
    threads: int | None,
    provider: str | None,
    weights: Mapping[str, Floats] | None = None,
) -> Any:
    """An ONNX Runtime session; `weights` stand in for a model's external data."""
    onnxruntime = runtime()

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads or 0
    if weights is not None:
        values = [onnxruntime.OrtValue.ortvalue_from_numpy(value) for value in weights.values()]
        options.add_external_initializers(list(weights), values)
    available = onnxruntime.get_available_providers()
    provider = provider or "CPUExecutionProvider"
    if provider not in available:
        raise SettingsError(
            f"provider - {provider} is not available here - {nearest(provider, available)}"
        )
    try:
        session = onnxruntime.InferenceSession(model, options, providers=[provider])
    except Exception as error:  # ONNX Runtime's exceptions share no narrower base
        raise WeightsError(
            f"{model if isinstance(model, str) else 'text tower'} - ONNX Runtime refuses it "
            f"({error}) - delete the file's folder to have it built anew"
        ) from error
    if session.get_providers()[0] != provider:
        raise SettingsError(
            f"provider - {provider} did not start, ONNX Runtime fell back to "
            f"{session.get_providers()[0]} - see the warning above, or choose that one"
        )
    return session
