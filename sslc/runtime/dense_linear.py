"""A dense linear layer on our own CPU kernel: the baseline that compressed layers compete with."""

import torch
from torch import nn

from sslc.model.weights import to_numpy
from sslc.runtime.bitmap import BF16, FP32
from sslc.runtime.cpu import MAX_TOKENS, dense_matrix, multiply_dense
from sslc.runtime.memory import as_tensor


class DenseLinear(nn.Module):
    """y = W x + bias for float32 or bfloat16 weights; above 16 tokens torch's product."""

    def __init__(self, linear: nn.Linear) -> None:
        """Lay the weight of a linear layer out for the kernel.

        Where its rows need no padding, the layer's weight becomes a view of what is laid out, so
        that memory holds it once.
        """
        super().__init__()
        kind = BF16 if linear.weight.dtype == torch.bfloat16 else FP32
        self.in_features, self.out_features = linear.in_features, linear.out_features
        self.matrix = dense_matrix(to_numpy(linear.weight), kind)
        self._weight = as_tensor(self.matrix.rows)[:, : self.in_features]
        self._bias = None if linear.bias is None else linear.bias.detach()
        if self._weight.is_contiguous():
            linear.weight.data = self._weight

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Map x of shape (..., n) to (..., m)."""
        tokens = x.reshape(-1, self.in_features)
        if len(tokens) > MAX_TOKENS:
            return nn.functional.linear(x, self._weight, self._bias)
        product = multiply_dense(self.matrix, to_numpy(tokens), threads=torch.get_num_threads())
        y = torch.from_numpy(product)
        if self._bias is not None:
            y = y + self._bias.float()
        return y.to(x.dtype).view(*x.shape[:-1], self.out_features)
