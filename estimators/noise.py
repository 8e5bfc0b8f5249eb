"""Randomness is an argument: three primitives, and sources that draw them in other ways.

Every draw has the shape [n, *rows, k]: n actions inside one estimate, independent rows, k
coordinates of one action. A variant may tie draws together along `n` inside a row, never
across rows: the rows are what standard errors are computed from.
"""

from typing import NamedTuple

import torch
from torch import Tensor


class Noise:
    """Independent draws from a seeded generator of its own; the global seed is never touched."""

    def __init__(self, seed: int = 0, device: torch.device | str = "cpu") -> None:
        self.generator = torch.Generator(device).manual_seed(seed)

    def normal(self, shape: tuple[int, ...], like: Tensor) -> Tensor:
        """ε ~ N(0, 1), in the dtype and on the device of `like`."""
        device = self.generator.device
        eps = torch.randn(shape, generator=self.generator, dtype=like.dtype, device=device)
        return eps.to(like.device)

    def uniform(self, shape: tuple[int, ...], like: Tensor) -> Tensor:
        """u ~ U(0, 1) on the open interval: odd multiples of 2⁻²⁴ (2⁻⁵³ in float64), all exact."""
        bits = 23 if like.dtype == torch.float32 else 52
        device = self.generator.device
        cell = torch.randint(2**bits, shape, generator=self.generator, device=device)
        return (2 * cell + 1).to(like) / 2 ** (bits + 1)

    def categorical(self, weights: Tensor, shape: tuple[int, ...]) -> Tensor:
        """k with probability weights[..., k], by inverting the distribution function.

        weights: [*batch, K]; shape: [n, *batch]. One uniform a draw, so that draws made from
        the same uniforms under nearby weights are common random numbers.
        """
        u = self.threshold((*shape, 1), weights)  # [n, *batch, 1]
        return (u >= weights.detach().cumsum(-1)[..., :-1]).sum(-1)  # [n, *batch]

    def threshold(self, shape: tuple[int, ...], like: Tensor) -> Tensor:
        """The uniform numbers that categories are cut from."""
        return self.uniform(shape, like)

    def begin(self) -> None:
        """Called before each batch of estimates: sequences start anew."""

    def block(self, n: int) -> int:
        """How many consecutive draws along n depend on each other (it divides n)."""
        return 1


class Antithetic(Noise):
    """Pairs (ε, −ε) and (u, 1 − u), next to each other along n; a single draw is a plain one."""

    def normal(self, shape: tuple[int, ...], like: Tensor) -> Tensor:
        eps = super().normal((shape[0] // self.block(shape[0]), *shape[1:]), like)
        return eps if shape[0] == 1 else torch.stack([eps, -eps], 1).flatten(0, 1)

    def uniform(self, shape: tuple[int, ...], like: Tensor) -> Tensor:
        u = super().uniform((shape[0] // self.block(shape[0]), *shape[1:]), like)
        return u if shape[0] == 1 else torch.stack([u, 1 - u], 1).flatten(0, 1)

    def block(self, n: int) -> int:
        if n > 1 and n % 2:
            raise ValueError(f"antithetic draws come in pairs: n must be 1 or even, got n = {n}")
        return min(n, 2)


class Sobol(Noise):
    """Sobol points along n, randomised by a digital shift of their own for every row.

    The n points fall into `blocks` independent sets (two by default, so that a leave-one-out
    baseline still finds actions that do not depend on the one it is for). Draws of one
    estimate use successive coordinates of the sequence. Reference: Owen, Monte Carlo theory,
    methods and examples, ch. 17.
    """

    BITS = 23  # (2i + 1)·2⁻²⁴ is exact in float32 and never 0 or 1
    COORDINATES = 1024

    def __init__(
        self, seed: int = 0, device: torch.device | str = "cpu", *, blocks: int = 2
    ) -> None:
        super().__init__(seed, device)
        if blocks < 1:
            raise ValueError(f"Sobol draws need at least one block, got blocks = {blocks}")
        self.blocks, self.coordinate = blocks, 0

    def begin(self) -> None:
        self.coordinate = 0

    def block(self, n: int) -> int:
        return n // self.blocks if n % self.blocks == 0 else n

    def uniform(self, shape: tuple[int, ...], like: Tensor) -> Tensor:
        n, k, size = shape[0], shape[-1], self.block(shape[0])
        if k > self.COORDINATES:
            raise ValueError(f"Sobol draws reach {self.COORDINATES} coordinates, got {k}")
        if self.coordinate + k > self.COORDINATES:
            self.coordinate = 0
        engine = torch.quasirandom.SobolEngine(self.coordinate + k)
        points = engine.draw(size, dtype=torch.float64)[:, self.coordinate :]  # [size, k]
        self.coordinate += k
        cells = (points * 2**self.BITS).long().to(self.generator.device)
        cells = cells.view(1, size, *[1] * (len(shape) - 2), k)
        shifts = (n // size, 1, *shape[1:])  # one for every block, row and coordinate
        shift = torch.randint(
            2**self.BITS, shifts, generator=self.generator, device=self.generator.device
        )
        return (2 * (cells ^ shift).flatten(0, 1) + 1).to(like) / 2 ** (self.BITS + 1)

    def normal(self, shape: tuple[int, ...], like: Tensor) -> Tensor:
        return torch.special.ndtri(self.uniform(shape, like.double())).to(like)


class Drawn(NamedTuple):
    """One draw that was made: normal, uniform, threshold (a uniform for a category to be cut from)
    or category. x: the normal or uniform numbers; weights [*batch, K] and k [n, *batch]: of a
    category, which was cut from them."""

    kind: str
    x: Tensor
    weights: Tensor | None = None
    k: Tensor | None = None

    @property
    def law(self) -> str:
        """Of x."""
        return "normal" if self.kind == "normal" else "uniform"

    @property
    def shape(self) -> torch.Size:
        """That was asked for."""
        return self.x.shape if self.k is None else self.k.shape


class Recorded(Noise):
    """Keeps what `source` draws; `replay()` hands the same numbers out again.

    A category is kept with the uniform it came from, so that a replay under other weights is a
    draw with common random numbers.
    """

    def __init__(self, source: Noise) -> None:
        self.source = source
        self.draws: list[Drawn] = []
        self.blocks: dict[int, int] = {}

    def normal(self, shape: tuple[int, ...], like: Tensor) -> Tensor:
        return self._keep("normal", self.source.normal(shape, like))

    def uniform(self, shape: tuple[int, ...], like: Tensor) -> Tensor:
        return self._keep("uniform", self.source.uniform(shape, like))

    def threshold(self, shape: tuple[int, ...], like: Tensor) -> Tensor:
        return self._keep("threshold", self.source.threshold(shape, like))

    def categorical(self, weights: Tensor, shape: tuple[int, ...]) -> Tensor:
        k = super().categorical(weights, shape)  # cut from a threshold, the draw just kept
        self.draws[-1] = Drawn("category", self.draws[-1].x, weights.detach(), k)
        return k

    def begin(self) -> None:
        self.source.begin()

    def block(self, n: int) -> int:
        self.blocks[n] = self.source.block(n)
        return self.blocks[n]

    @property
    def scalars(self) -> list[Drawn]:
        """All draws but the categories."""
        return [draw for draw in self.draws if draw.k is None]

    @property
    def categories(self) -> list[tuple[Tensor, Tensor]]:
        """Weights [*batch, K] and k [n, *batch] of each."""
        return [(d.weights, d.k) for d in self.draws if d.weights is not None and d.k is not None]

    def replay(self) -> "Replay":
        return Replay([draw.x for draw in self.draws], self.blocks)

    def _keep(self, kind: str, x: Tensor) -> Tensor:
        self.draws.append(Drawn(kind, x))
        return x


class Replay(Noise):
    """Hands out given draws, in order."""

    def __init__(self, draws: list[Tensor], blocks: dict[int, int]) -> None:
        self.draws, self.blocks = list(draws), blocks

    def normal(self, shape: tuple[int, ...], like: Tensor) -> Tensor:
        if not self.draws:
            raise ValueError(
                "the number of draws varies: more are asked for than when they were recorded"
            )
        return self.draws.pop(0)

    uniform = normal

    def block(self, n: int) -> int:
        return self.blocks[n]
