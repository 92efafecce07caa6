"""`peer.torch`: PyTorch's automatic differentiation of our function written in torch, on the CPU in float64.

First derivatives in reverse mode by torch.autograd.grad, which takes batches as they are; everything else by torch.func,
batches through vmap. Eager: torch.compile takes half a minute for one small gradient and needs a C++ compiler.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np

from ...dsl.elementwise import Elementwise
from ...dsl.shapes import Shape
from ...engines.base import Array, Engine
from ...errors import Unsupported
from ..base import Operator, Request, Runner
from .arrays import Call, Forms, Vocabulary, one_by_one, program, whole_power
from .functional import Transforms, at_a_point
from .library import Peer, PeerRunner, quiet

REVERSE = (Operator.GRADIENT, Operator.VALUE_AND_GRADIENT, Operator.VJP)


class PeerTorch(Peer):
    """torch.autograd.grad for gradients and vjp; torch.func's jacrev, jacfwd, hessian, jvp for the rest."""

    name = "peer.torch"
    library = "torch"
    install = "diffcompare[peers-large]"

    def answer(self, request: Request, engine: Engine, memory: int) -> Runner:
        return TorchRunner(request)


class TorchRunner(PeerRunner):
    """A request answered by PyTorch. Preparation runs it once, at ones, to learn what PyTorch refuses."""

    def __init__(self, request: Request) -> None:
        super().__init__(request)
        with _modes():
            self._program = program(request.function, Words())
        self._point = at_a_point(request, lambda *values: tuple(self._program(values)), _transforms())
        self.source = f"torch's {request.operator} of {request.function.name}, eager"
        arrays = [np.ones(c) for c in self.cores]
        try:
            with quiet():  # torch.func deprecates torch's own code at its first use
                self(arrays[: len(request.function.inputs)], arrays[len(request.function.inputs) :])
        except RuntimeError as error:
            if not isinstance(error, NotImplementedError) and "not implemented" not in str(error):
                raise
            raise Unsupported(f"peer.torch: PyTorch has no rule for the {request.operator} of {request.function.name}: {error}") from error

    def __call__(self, values: Sequence[Array], directions: Sequence[Array]) -> list[Array]:
        arrays = [*values, *directions]
        joint = self.joint(arrays)
        wide = [np.broadcast_to(a, joint + c) for a, c in zip(arrays, self.cores, strict=True)] if joint else arrays
        with _modes():
            tensors = [_tensor(a) for a in wide]
            if self.request.operator is Operator.VALUE:
                results = self._program(tensors)
            elif self.request.operator in REVERSE:
                results = self._reverse(tensors, joint)
            else:
                results = self._mapped(tensors, joint)
        return [np.array(r.numpy(force=True)) for r in results]

    def _reverse(self, tensors: list[Any], joint: Shape) -> list[Any]:
        """One reverse sweep: points of a batch do not depend on each other, so the gradient of their sum holds each one's."""
        import torch

        n = len(self.request.function.inputs)
        leaves = [tensors[p].requires_grad_() for p in self.places]
        outputs = [_over(o, joint, node.shape) for o, node in zip(self._program(tensors[:n]), self.request.function.outputs, strict=True)]
        cotangents = tensors[n:] or [torch.ones_like(o) for o in outputs]
        linked = [(o, c) for o, c in zip(outputs, cotangents, strict=True) if o.requires_grad]
        if linked:
            ends, weights = zip(*linked, strict=True)
            gradients = torch.autograd.grad(ends, leaves, weights, allow_unused=True, materialize_grads=True)
        else:
            gradients = tuple(torch.zeros_like(leaf) for leaf in leaves)
        return [*outputs, *gradients] if self.request.operator is Operator.VALUE_AND_GRADIENT else list(gradients)

    def _mapped(self, tensors: list[Any], joint: Shape) -> list[Any]:
        import torch

        if not joint:
            return self._point(*tensors)
        flat = [t.reshape((-1, *core)) for t, core in zip(tensors, self.cores, strict=True)]
        if not flat[0].shape[0]:
            return [torch.zeros(joint + b, dtype=torch.float64, device="cpu") for b in self.request.blocks]
        results = torch.func.vmap(self._point)(*flat)
        return [r.reshape((*joint, *r.shape[1:])) for r in results]


@contextmanager
def _modes() -> Iterator[None]:
    """Derivatives are recorded whatever mode the caller is in; modes are of this thread, and given back."""
    import torch

    with torch.inference_mode(False), torch.enable_grad():
        yield


def _over(output: Any, joint: Shape, core: Shape) -> Any:
    return output if tuple(output.shape) == joint + core else output.expand(joint + core)


def _tensor(array: Array) -> Any:
    """A copy, so that nothing of the caller's is written to."""
    import torch

    return torch.from_numpy(np.array(array, np.float64, order="C"))


def _transforms() -> Transforms:
    from torch import func

    def value_and_grad(f: Callable[..., Any], argnums: Any) -> Callable[..., Any]:
        swapped = func.grad_and_value(f, argnums=argnums)

        def both(*values: Any) -> tuple[Any, Any]:
            gradient, value = swapped(*values)
            return value, gradient

        return both

    return Transforms(func.grad, value_and_grad, func.jacfwd, func.jacrev, func.hessian, func.jvp, func.vjp)


class Words(Vocabulary):
    """torch, torch.nn.functional and torch.linalg."""

    owner = "peer.torch"

    def __init__(self) -> None:
        import torch
        from torch.nn import functional

        self._torch = torch
        self.forms: Forms = {
            "sigmoid": lambda node: torch.sigmoid,
            "softplus": lambda node: functional.softplus,
            "relu": lambda node: functional.relu,
            "gelu": lambda node: functional.gelu,
            "silu": lambda node: functional.silu,
            "normal_cdf": lambda node: torch.special.ndtr,
            "logsumexp": lambda node: lambda x: torch.logsumexp(x, dim=node.params[0]),
            "softmax": lambda node: (lambda x: torch.softmax(x, dim=node.params[0][0])) if len(node.params[0]) == 1 else None,
            "log_softmax": lambda node: (lambda x: torch.log_softmax(x, dim=node.params[0][0])) if len(node.params[0]) == 1 else None,
            "norm": lambda node: lambda x: torch.linalg.vector_norm(x, dim=node.params[0]),
            "pow": whole_power,
            "gauss": lambda node: lambda x: torch.exp(-(x**2)),
            "log_sigmoid": lambda node: functional.logsigmoid,
            "sinc": lambda node: torch.sinc,
            "digamma": lambda node: torch.digamma,
            "trigamma": lambda node: lambda x: torch.polygamma(1, x),
            "xlogy": lambda node: torch.xlogy,
            "floor_divide": lambda node: lambda x, y: torch.floor(x / y),  # torch.floor_divide has no derivative
        }
        self._renamed: dict[str, Call] = {
            "equal": torch.eq,  # torch.equal compares whole tensors
            "power": torch.pow,
            "rint": torch.round,
            "mod": torch.remainder,
            "gammaln": torch.lgamma,
            "chain_mul": self._chain_mul,
            "real": lambda x: x.to(torch.float64),
        }

    def constant(self, value: Any) -> Any:
        torch = self._torch
        array = np.array(value)
        return torch.tensor(array, dtype=torch.bool if array.dtype == bool else torch.float64, device="cpu")

    def elementwise(self, primitive: Elementwise) -> Call | None:
        name = primitive.array
        return (self._renamed.get(name) or getattr(self._torch, name, None)) if isinstance(name, str) else None

    def _chain_mul(self, p: Any, t: Any) -> Any:
        product = p * t
        hidden = product.isnan() & ~p.isnan() & ~t.isnan()
        return self._torch.where(hidden, self.constant(0.0), product)

    def reduction(self, name: str, axes: tuple[int, ...]) -> Call:
        if name == "prod":
            return one_by_one(self._torch.prod, axes)
        reduce: Any = {"sum": self._torch.sum, "max": self._torch.amax, "min": self._torch.amin}[name]
        return lambda x: reduce(x, dim=axes)

    def broadcast_to(self, x: Any, shape: Shape) -> Any:
        return x.expand(shape)

    def permute(self, x: Any, order: Sequence[int]) -> Any:
        return x.permute(tuple(order))

    def concatenate(self, parts: Sequence[Any], axis: int) -> Any:
        return self._torch.cat(list(parts), dim=axis)

    def einsum(self, spec: str, *values: Any) -> Any:
        return self._torch.einsum(spec, *values)

    def indices(self, values: Any) -> Any:
        return self._torch.tensor(np.array(values), dtype=self._torch.int64, device="cpu")


peer_torch = PeerTorch()
