"""The operations of the towers on torch tensors; part of the extra `torch`."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional

from magiqa.clip import towers


def _fuses(weight: Tensor) -> bool:
    """Whether cuDNN adds and rectifies as it convolves: half precision, no gradients, not traced.

    Without it RN50 spends more than half of its time on a GPU reading and writing sums.
    """
    return (
        weight.is_cuda
        and weight.itemsize == 2
        # older GPUs have no bfloat16 in cuDNN
        and (
            weight.dtype == torch.float16
            or torch.cuda.get_device_capability(weight.device) >= (8, 0)
        )
        and torch.backends.cudnn.enabled
        and torch.version.hip is None
        and not torch.is_grad_enabled()
        and not torch.compiler.is_compiling()
    )


class TorchOps:
    """The operations of `towers.Ops` on torch tensors; where precisions meet, the larger holds."""

    def add(self, a: Tensor, b: Tensor) -> Tensor:
        return a + b

    def subtract(self, a: Tensor, b: Tensor) -> Tensor:
        return a - b

    def matmul(self, a: Tensor, b: Tensor) -> Tensor:
        return a @ b

    def quick_gelu(self, x: Tensor) -> Tensor:
        return x * torch.sigmoid(1.702 * x)

    def softmax(self, x: Tensor) -> Tensor:
        return x.softmax(dim=-1)

    def layer_norm(self, x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
        return functional.layer_norm(x, weight.shape, weight, bias, towers.EPSILON)

    def mean(self, x: Tensor, axis: int) -> Tensor:
        dtype = torch.promote_types(x.dtype, torch.float32)  # here half precision ends
        return x.mean(axis, keepdim=True, dtype=dtype)

    def conv(
        self, x: Tensor, weight: Tensor, bias: Tensor | None, stride: int, padding: int
    ) -> Tensor:
        return functional.conv2d(x.to(weight.dtype), weight, bias, stride, padding)

    def conv_relu(
        self,
        x: Tensor,
        weight: Tensor,
        bias: Tensor,
        stride: int,
        padding: int,
        plus: Tensor | None = None,
    ) -> Tensor:
        if not _fuses(weight):
            y = self.conv(x, weight, bias, stride, padding)
            return (y if plus is None else y.add_(plus)).relu_()  # nobody else needs the sum
        x, where = x.to(weight.dtype), ((stride, stride), (padding, padding), (1, 1), 1)
        if plus is None:
            return torch.cudnn_convolution_relu(x, weight, bias, *where)
        return torch.cudnn_convolution_add_relu(x, weight, plus, 1, bias, *where)

    def average_pool(self, x: Tensor, size: int) -> Tensor:
        return functional.avg_pool2d(x, size)

    def reshape(self, x: Tensor, shape: Sequence[int]) -> Tensor:
        return x.reshape(tuple(shape))

    def transpose(self, x: Tensor, axes: Sequence[int]) -> Tensor:
        return x.permute(tuple(axes))

    def concat(self, xs: Sequence[Tensor], axis: int) -> Tensor:
        return torch.cat(list(xs), axis)

    def split(self, x: Tensor, parts: int) -> Sequence[Tensor]:
        return x.chunk(parts, dim=-1)

    def first_row(self, x: Tensor) -> Tensor:
        return x[:, 0]

    def prepend_zeros(self, x: Tensor) -> Tensor:
        return functional.pad(x, (0, 0, 1, 0))


OPS = TorchOps()
