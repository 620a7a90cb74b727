"""Memory that a model takes on a GPU, from its parameters alone; `sizing` says where the numbers come from."""

from dataclasses import dataclass

GIB = 2**30
BYTES = {"float32": 4, "bfloat16": 2, "float16": 2}
CONTEXT_GIB, MARGIN = 2.0, 1.1
"""What CUDA and its libraries take of a GPU, and what fragments cost beside what is used."""


@dataclass(frozen=True)
class Shape:
    """A model: its weights, their bytes each, and its vocabulary."""

    parameters: float
    bytes: int
    vocabulary: int

    @property
    def width(self) -> float:
        return float((10 * self.parameters) ** (1 / 3))

    @property
    def layers(self) -> float:
        return max(1.0, self.width / 120)

    @property
    def weights(self) -> float:
        """Bytes of the weights."""
        return self.parameters * self.bytes

    def adapters(self, rank: int) -> float:
        """Weights of adapters on every linear layer: four of attention (8 d) and three of an MLP 2.7 times as wide (11 d)."""
        return 19 * rank * self.width * self.layers

    def trained(self, shared: bool, rank: int | None) -> float:
        """Bytes of weights, gradients and AdamW's moments; `shared`: by several GPUs, which keep them in float32."""
        if rank is not None:
            return self.weights + 16 * self.adapters(rank)
        return self.parameters * 4 * (4 if shared else self.bytes)

    def activations(self, tokens: float, checkpointing: bool, half: bool, logits: bool) -> float:
        """Bytes of what the backward pass needs of so many tokens; `half`: computed in bfloat16."""
        layer = 34 * tokens * self.width * (1 if half else 2)
        kept = 2 * tokens * self.width * (1 if half else 2) * self.layers + layer if checkpointing else layer * self.layers
        return kept + (12 * tokens * self.vocabulary if logits else 0)

    def cache(self, tokens: float) -> float:
        """Bytes of keys and values of so many tokens, where no heads share them: the most that it can be."""
        return 2 * tokens * self.width * self.layers * self.bytes


def on_gpu(shared: float, own: float, gpus: int) -> float:
    """GiB of each of the GPUs that share so many bytes and hold so many of their own."""
    return MARGIN * (shared / gpus + own) / GIB + CONTEXT_GIB
