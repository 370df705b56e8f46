"""The model of the training step, and the operations that it takes."""

from __future__ import annotations

import msgspec


class Config(msgspec.Struct, frozen=True, kw_only=True):
    """A GPT-2. The vocabulary is padded to a multiple of 128, as nanoGPT does, for the tensor cores."""

    name: str
    layers: int
    heads: int
    width: int
    vocabulary: int
    padded_vocabulary: int
    positions: int

    def flops(self, batch: int, length: int) -> float:
        """Of one training step: (6·N + 12·L·H·Q·T) for each token, as in appendix B of PaLM (Chowdhery et al., 2022).

        N: parameters of the matrices that are multiplied, 12·L·d² in the blocks and V·d in the last product (tied to
        the embedding, whose look-up multiplies nothing). L layers, H heads of size Q, T the length; d = H·Q. nanoGPT
        counts biases and layer norms too, 0.1 % more. The causal mask is not taken off, and nothing that is computed
        twice (checkpointing, the backward pass of flash) is counted: the model's operations, not the machine's.
        """
        weights = 12 * self.layers * self.width**2 + self.padded_vocabulary * self.width
        attention = 12 * self.layers * self.width * length
        return float(batch * length * (6 * weights + attention))


GPT2 = Config(
    name="GPT-2 124M", layers=12, heads=12, width=768, vocabulary=50257, padded_vocabulary=50304, positions=1024
)
