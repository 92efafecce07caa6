"""`peer.autograd`: HIPS autograd's differentiation of our function written in autograd.numpy.

A batch goes through in one sweep, as in autograd.elementwise_grad: its points do not depend on each other. Jacobians are
one reverse sweep for each output entry, as autograd.jacobian makes them; Hessians the same of the gradient.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np

from ...dsl.elementwise import Elementwise
from ...dsl.shapes import Shape, size_of
from ...engines.base import Array, Engine
from ...errors import Unsupported
from ..base import Operator, Request, Runner
from .arrays import Call, Forms, Vocabulary, one_by_one, program, whole_power
from .library import Peer, PeerRunner, quiet, tabled


class PeerAutograd(Peer):
    """autograd.make_vjp for everything but jvp, which is autograd.make_jvp; refused where autograd has no rule."""

    name = "peer.autograd"
    library = "autograd"

    def answer(self, request: Request, engine: Engine, memory: int) -> Runner:
        return AutogradRunner(request)


class AutogradRunner(PeerRunner):
    """A request answered by autograd. Preparation runs it once, at ones, to learn which rules are missing."""

    def __init__(self, request: Request) -> None:
        super().__init__(request)
        self._program = program(request.function, Words())
        self._sizes = [w.size for w in request.wrt]
        self.source = f"autograd's {request.operator} of {request.function.name}"
        arrays = [np.ones(c) for c in self.cores]
        try:
            self(arrays[: len(request.function.inputs)], arrays[len(request.function.inputs) :])
        except NotImplementedError as error:
            raise Unsupported(
                f"peer.autograd: autograd has no rule for the {request.operator} of {request.function.name}: {error}"
            ) from error

    def __call__(self, values: Sequence[Array], directions: Sequence[Array]) -> list[Array]:
        arrays = [*values, *directions]
        joint = self.joint(arrays)
        wide = [np.broadcast_to(a, joint + c) for a, c in zip(arrays, self.cores, strict=True)] if joint else arrays
        n = len(values)
        rules: dict[Operator, Callable[[list[Any], list[Any], Shape], list[Any]]] = {
            Operator.VALUE: lambda given, _, __: self._program(given),
            Operator.DERIVATIVE: self._derivative,
            Operator.GRADIENT: self._gradient,
            Operator.VALUE_AND_GRADIENT: self._gradient,
            Operator.JACOBIAN: self._jacobian,
            Operator.HESSIAN: self._hessian,
            Operator.JVP: self._jvp,
            Operator.VJP: self._vjp,
            Operator.HVP: self._hvp,
        }
        with np.errstate(all="ignore"), quiet():  # autograd warns where an output does not depend on an input
            return [np.asarray(r) for r in rules[self.request.operator](list(wide[:n]), list(wide[n:]), joint)]

    # --- the function of one array u, joint + (entries of wrt,), giving joint + (entries of the outputs,) ---

    def _raveled(self, arrays: Sequence[Any], joint: Shape) -> Any:
        import autograd.numpy as anp

        flat = [a.reshape((*joint, -1)) if size_of(joint) else anp.zeros((*joint, size_of(a.shape[len(joint) :]))) for a in arrays]
        return flat[0] if len(flat) == 1 else anp.concatenate(flat, axis=-1)

    def _split(self, u: Any, sizes: Sequence[int], shapes: Sequence[Shape], joint: Shape) -> list[Any]:
        if len(shapes) == 1:
            return [u.reshape(joint + shapes[0])]
        starts = np.cumsum([0, *sizes])
        return [u[..., a:b].reshape(joint + s) for a, b, s in zip(starts, starts[1:], shapes, strict=False)]

    def _of_wrt(self, values: Sequence[Any], joint: Shape) -> Callable[[Any], Any]:
        import autograd.numpy as anp

        outputs = self.request.function.outputs

        def f(u: Any) -> Any:
            full = list(values)
            for p, part in zip(self.places, self._split(u, self._sizes, [w.shape for w in self.request.wrt], joint), strict=True):
                full[p] = part
            results = [
                r if r.shape == joint + o.shape else anp.broadcast_to(r, joint + o.shape)
                for r, o in zip(self._program(full), outputs, strict=True)
            ]
            return self._raveled(results, joint)

        return f

    def _at(self, values: Sequence[Any], joint: Shape) -> Any:
        return self._raveled([values[p] for p in self.places], joint)

    def _inputs(self, flat: Any, joint: Shape) -> list[Any]:
        """joint + (entries of wrt,) as one block for each input."""
        return self._split(flat, self._sizes, [w.shape for w in self.request.wrt], joint)

    # --- operators ---

    def _gradient(self, values: list[Any], directions: list[Any], joint: Shape) -> list[Any]:
        from autograd import make_vjp

        vjp, value = make_vjp(self._of_wrt(values, joint))(self._at(values, joint))
        gradient = self._inputs(vjp(np.ones(value.shape)), joint)
        return [value[..., 0], *gradient] if self.request.operator is Operator.VALUE_AND_GRADIENT else gradient

    def _vjp(self, values: list[Any], directions: list[Any], joint: Shape) -> list[Any]:
        from autograd import make_vjp

        vjp, _ = make_vjp(self._of_wrt(values, joint))(self._at(values, joint))
        return self._inputs(vjp(self._raveled(directions, joint)), joint)

    def _jvp(self, values: list[Any], directions: list[Any], joint: Shape) -> list[Any]:
        from autograd import make_jvp

        outputs = self.request.function.outputs
        _, tangent = make_jvp(self._of_wrt(values, joint))(self._at(values, joint))(self._raveled(directions, joint))
        return self._split(tangent, [o.size for o in outputs], [o.shape for o in outputs], joint)

    def _rows(self, f: Callable[[Any], Any], u: Any) -> Any:
        """joint + (outputs, inputs): one sweep for each output entry."""
        from autograd import make_vjp

        vjp, value = make_vjp(f)(u)
        table = np.empty((*u.shape[:-1], value.shape[-1], u.shape[-1]))
        for k in range(value.shape[-1]):
            unit = np.zeros(value.shape)
            unit[..., k] = 1.0
            table[..., k, :] = vjp(unit)
        return table

    def _jacobian(self, values: list[Any], directions: list[Any], joint: Shape) -> list[Any]:
        table = self._rows(self._of_wrt(values, joint), self._at(values, joint))
        return tabled(table, [o.shape for o in self.request.function.outputs], [w.shape for w in self.request.wrt])

    def _hessian(self, values: list[Any], directions: list[Any], joint: Shape) -> list[Any]:
        from autograd import elementwise_grad

        table = self._rows(elementwise_grad(self._of_wrt(values, joint)), self._at(values, joint))
        return tabled(table, [w.shape for w in self.request.wrt], [w.shape for w in self.request.wrt])

    def _hvp(self, values: list[Any], directions: list[Any], joint: Shape) -> list[Any]:
        """Reverse over reverse, as autograd.make_hvp: not every function has a forward rule."""
        from autograd import elementwise_grad, make_vjp

        vjp, _ = make_vjp(elementwise_grad(self._of_wrt(values, joint)))(self._at(values, joint))
        return self._inputs(vjp(self._raveled(directions, joint)), joint)

    def _derivative(self, values: list[Any], directions: list[Any], joint: Shape) -> list[Any]:
        """elementwise_grad as often as the order says, of each output entry."""
        from autograd import elementwise_grad

        f, u, outputs = self._of_wrt(values, joint), self._at(values, joint), self.request.function.outputs
        columns = []
        for k in range(sum(o.size for o in outputs)):
            g: Callable[[Any], Any] = partial(_entry, f, k)
            for _ in range(self.request.order):
                g = elementwise_grad(g)
            columns.append(g(u))
        flat = np.concatenate(columns, axis=-1)
        return self._split(flat, [o.size for o in outputs], [o.shape for o in outputs], joint)


def _entry(f: Callable[[Any], Any], k: int, u: Any) -> Any:
    return f(u)[..., k : k + 1]


class Words(Vocabulary):
    """autograd.numpy and autograd.scipy.special."""

    owner = "peer.autograd"

    def __init__(self) -> None:
        import autograd.numpy as anp
        from autograd.scipy import special

        self._np = anp
        self._special = special
        self.forms: Forms = {
            "sigmoid": lambda node: special.expit,
            "softplus": lambda node: lambda x: anp.logaddexp(0.0, x),
            "relu": lambda node: lambda x: anp.maximum(x, 0.0),
            "logsumexp": lambda node: lambda x: special.logsumexp(x, axis=node.params[0]),
            "norm": lambda node: (lambda x: anp.linalg.norm(x, axis=node.params[0][0])) if len(node.params[0]) == 1 else None,
            "pow": whole_power,
            "gauss": lambda node: lambda x: anp.exp(-(x**2)),
            "log_sigmoid": lambda node: lambda x: -anp.logaddexp(0.0, -x),
            "sinc": lambda node: anp.sinc,
            "digamma": lambda node: special.psi,
            "trigamma": lambda node: lambda x: special.polygamma(1, x),
        }
        self._own: dict[str, Call] = {
            "chain_mul": self._chain_mul,
            "real": lambda x: anp.where(x, 1.0, 0.0),
        }

    def constant(self, value: Any) -> Any:
        return np.array(value)

    def elementwise(self, primitive: Elementwise) -> Call | None:
        name = primitive.array
        if not isinstance(name, str):
            return None
        return self._own.get(name) or getattr(self._np, name, None) or getattr(self._special, name, None)

    def _chain_mul(self, p: Any, t: Any) -> Any:
        product = p * t
        return self._np.where(self._np.isnan(product) & ~self._np.isnan(p) & ~self._np.isnan(t), 0.0, product)

    def reduction(self, name: str, axes: tuple[int, ...]) -> Call:
        reduce = getattr(self._np, name)
        return one_by_one(reduce, axes) if name == "prod" else lambda x: reduce(x, axis=axes)

    def broadcast_to(self, x: Any, shape: Shape) -> Any:
        return self._np.broadcast_to(x, shape)

    def permute(self, x: Any, order: Sequence[int]) -> Any:
        return self._np.transpose(x, tuple(order))

    def concatenate(self, parts: Sequence[Any], axis: int) -> Any:
        return self._np.concatenate(parts, axis)

    def einsum(self, spec: str, *values: Any) -> Any:
        return self._np.einsum(spec, *values)

    def indices(self, values: Any) -> Any:
        return np.array(values)


peer_autograd = PeerAutograd()
