"""Estimate the memory that a model takes on a GPU, from its parameters alone; `sizing` says where the numbers come from."""

from dataclasses import dataclass

GIB = 2**30
BYTES = {"float32": 4, "bfloat16": 2, "float16": 2}
CONTEXT_GIB, MARGIN = 2.0, 1.1
"""GiB that CUDA and its libraries take of a GPU, and the factor for fragmentation."""


@dataclass(frozen=True)
class Shape:
    """A model: its parameters, the bytes of each, and the tokens of its vocabulary."""

    parameters: float
    bytes: int
    vocabulary: int

    @property
    def width(self) -> float:
        """Width d, from 12 L d^2 = P with L = d / 120."""
        return float((10 * self.parameters) ** (1 / 3))

    @property
    def layers(self) -> float:
        """Number of layers L."""
        return max(1.0, self.width / 120)

    @property
    def weights(self) -> float:
        """Bytes of the weights."""
        return self.parameters * self.bytes

    def adapters(self, rank: int) -> float:
        """Return the parameters of adapters on all linear layers: four of attention (8 d), three of an MLP 2.7 d wide (11 d)."""
        return 19 * rank * self.width * self.layers

    def trained(self, shared: bool, rank: int | None) -> float:
        """Return the bytes of weights, gradients and AdamW's moments; `shared`: by several GPUs, which keep them in float32."""
        if rank is not None:
            return self.weights + 16 * self.adapters(rank)
        return self.parameters * 4 * (4 if shared else self.bytes)

    def activations(self, tokens: float, checkpointing: bool, half: bool, logits: bool) -> float:
        """Return the bytes that the backward pass of this many tokens keeps; `half`: computed in bfloat16."""
        layer = 34 * tokens * self.width * (1 if half else 2)
        kept = 2 * tokens * self.width * (1 if half else 2) * self.layers + layer if checkpointing else layer * self.layers
        return kept + (12 * tokens * self.vocabulary if logits else 0)

    def cache(self, tokens: float) -> float:
        """Return the bytes of keys and values of this many tokens, at most: as if no heads shared them."""
        return 2 * tokens * self.width * self.layers * self.bytes


def gib_on_gpu(shared: float, own: float, gpus: int) -> float:
    """Return the GiB on each of the GPUs, which share some bytes and each hold others as their own."""
    return MARGIN * (shared / gpus + own) / GIB + CONTEXT_GIB
