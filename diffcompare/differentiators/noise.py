"""The noise of a function, measured, and the steps of finite differences that suit it.

Moré and Wild, Estimating computational noise (SIAM J. Sci. Comput. 33 (2011) 1292-1314) and Estimating derivatives of noisy
simulations (ACM TOMS 38 (2012) 19): what is left of a function's values on a short line after a few differences is noise.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from ..dsl.shapes import Shape
from ..engines.base import Array
from .shifts import Primal, differences
from .stencils import Stencil, fornberg, stencil

ESTIMATE = "estimate"
"""The value of noise= that asks for the measurement."""
LINE = (-3, -2, -1, 1, 2, 3)
"""Seven equally spaced points, x among them."""
RELATIVE, ABSOLUTE = (1e-12, 1e-9, 1e-6, 1e-3), (1e-7, 1e-5, 1e-4)
"""Spacings, in units of |x| and of max(|x|, 1). Which is right depends on the noise (rounding to float64 shows at 1e-12, to float32
from 1e-7 on) and on the function, so all are evaluated, in one batch."""
PLATEAU = 4.0
"""Three consecutive levels of noise agree if they differ by no more than this factor."""
SMOOTH = 0.1
"""The values on a line vary by no more than this part of the largest."""
SIGNIFICANT = 100.0
"""A difference that estimates a higher derivative is this many times the noise."""
TRIED = (8.0, 1.0, 1 / 8, 1 / 64, 1 / 512)
"""Steps of these differences, in units of noise^(1/(m+2)) |x| and noise^(1/(m+2)) max(|x|, 1), for the derivative of order m."""
EVALUATIONS = len(LINE) * (len(RELATIVE) + len(ABSOLUTE))
"""Values of the function that a measurement takes for each entry of the inputs, beside that at the point."""


def _scales(x: Array) -> tuple[Array, Array]:
    """|x| (1 where it is so small that a step would underflow) and max(|x|, 1)."""
    info, size, one = np.finfo(x.dtype), np.abs(x), x.dtype.type(1)
    return np.where(size < info.tiny / info.eps**2, one, size), np.maximum(size, one)


def lines(x: Array) -> list[Array]:
    """Where the function is evaluated around x: EVALUATIONS arrays like x, line by line.

    The spacing is an odd number of units in the last place of x, so that no point is rounded: rounding would count as noise.
    """
    relative, absolute = _scales(x)
    result = []
    for wanted in [*(s * relative for s in RELATIVE), *(s * absolute for s in ABSOLUTE)]:
        unit = np.maximum(np.spacing(np.abs(x)), wanted * np.finfo(x.dtype).eps)
        spacing = unit * (2 * np.floor(wanted / unit / 2) + 1)
        result += [np.asarray(x + m * spacing, x.dtype) for m in LINE]
    return result


class Levels(NamedTuple):
    """What the differences of seven values say: sigma, NaN where they do not agree, and what is left of the values at most.

    left: the root mean square of the levels of the last three differences: noise and, on long lines, some of the function.
    """

    sigma: Array
    left: Array


def ecnoise(line: Array, smooth: float = SMOOTH) -> Levels:
    """The standard deviation of the noise in seven values along the first axis.

    sigma_j² = gamma_j mean (Δ^j f)² with gamma_j = (j!)² / (2j)! is sigma² for independent errors of variance sigma², whatever j;
    the first of three that agree counts, if the differences have both signs. NaN where more than half the values are equal to
    their neighbours (the line is too short), or they vary by more than `smooth` of the largest (too long).
    """
    size = np.max(np.abs(line), axis=0)
    unit = np.ldexp(1.0, np.frexp(size)[1])  # a power of two: dividing rounds nothing
    left, gamma, levels, signs = line / unit, 1.0, [], []
    repeated = np.sum(np.diff(line, axis=0) == 0, axis=0) > len(line) // 2
    for j in range(1, len(line)):
        left = np.diff(left, axis=0)
        gamma *= j / (2 * (2 * j - 1))
        levels.append(np.sqrt(gamma * np.mean(left**2, axis=0)))
        signs.append((np.min(left, axis=0) < 0) & (np.max(left, axis=0) > 0))
    level = np.full(size.shape, np.nan)
    for k in reversed(range(len(levels) - 2)):
        three = np.stack(levels[k : k + 3])
        agree = (np.max(three, axis=0) <= PLATEAU * np.min(three, axis=0)) & signs[k]
        level = np.where(agree, levels[k], level)
    usable = ~repeated & (np.max(line, axis=0) - np.min(line, axis=0) <= smooth * size)
    last = np.sqrt(np.mean(np.stack(levels[-3:]) ** 2, axis=0))
    return Levels(np.where(usable, level * unit, np.nan), np.where(usable & (last > 0), last * unit, np.nan))


def measured(values: Array, centre: Array, epsilon: float) -> Array:
    """The standard deviation of the noise from values (EVALUATIONS, ...) at `lines` and at the point.

    The median of the lines that show any: on some, values that are rounded happen to lie evenly, and little is left of them. If
    none does, the least that is left on a line; half an ε |f| if nothing is. The shortest line of all may vary by any part of
    its values: there smooth functions hardly change, and near a zero only noise is left.
    """
    each, middle = len(LINE), len(LINE) // 2
    centre = np.asarray(centre, np.float64)
    found = []
    for start in range(0, len(values), each):
        before, after = values[start : start + middle], values[start + middle : start + each]
        line = np.concatenate([before, np.broadcast_to(centre, before.shape[1:])[None], after]).astype(np.float64)
        found.append(ecnoise(line, SMOOTH if start else np.inf))
    shown = np.sort(np.stack([f.sigma for f in found]), axis=0)  # NaN last
    count = np.sum(np.isfinite(shown), axis=0)
    median = np.take_along_axis(shown, (count // 2)[None], axis=0)[0]
    known = np.where(count > 0, median, np.fmin.reduce([f.left for f in found]))
    return np.asarray(np.where(np.isnan(known), epsilon / 2 * np.abs(centre), known))


# --- steps ---


def best_step(s: Stencil, noise: Array, higher: Array) -> Array:
    """The h that minimizes the mean square (C h^p F)² + sigma² Σ w² / h^2k of truncation and noise, with F = |f^(k+p)|.

    8^(1/4) (sigma/F)^(1/2) forward, as Moré and Wild have it, and (3 sigma/F)^(1/3) central.
    """
    squares = float(sum(w * w for w in fornberg(s.order, s.nodes)))
    ratio = np.sqrt(s.order * squares / s.accuracy) * noise / (s.truncation * higher)
    return np.asarray(ratio ** (1 / (s.order + s.accuracy)))


def evaluations(s: Stencil) -> int:
    """Values of the function that `steps` takes for each entry of the inputs, beside that at the point."""
    return EVALUATIONS + 2 * len(TRIED) * sum(1 for m in _crude(s).nodes if m)


def _crude(s: Stencil) -> Stencil:
    """The stencil that estimates the derivative in the truncation error."""
    return stencil("central", s.order + s.accuracy, 2)


def steps(primal: Primal, values: list[Array], joint: Shape, default: Sequence[Array], s: Stencil) -> list[Array]:
    """For each input differentiated, raveled, the step for each entry at each point of the joint batch.

    values: with the inputs differentiated over the whole joint batch. default: the steps where nothing can be measured. A step
    serves all outputs: it is the geometric mean of theirs, without those that the entry does not move.
    """
    xs, centre, crude = primal.raveled([values[p] for p in primal.places]), primal(values), _crude(s)
    by_input = [lines(x) for x in xs]
    layers = [[at[k] for at in by_input] for k in range(EVALUATIONS)]
    epsilon = float(np.finfo(primal.dtype).eps)
    result = primal.blocks(joint, [()])
    for chunk in primal.chunks(primal.entries, evaluations(s), joint):
        entries = np.arange(chunk.start, chunk.stop)
        around = primal(primal.moved(values, [(entries, layers)]))
        noise = [measured(a, c, epsilon) for a, c in zip(around, centre, strict=True)]
        relative = [np.clip(n / np.abs(c), epsilon / 8, 1e-2) for n, c in zip(noise, centre, strict=True)]
        largest = [np.nanmax(r.reshape((len(entries), *joint, -1)), axis=-1, initial=epsilon / 8) for r in relative]
        tried = _tried(primal, chunk, xs, np.max(largest, axis=0), crude.order, joint)
        usual = primal.gathered(default, entries, joint)
        found: list[Array] = []
        for n, c, higher in zip(noise, centre, _higher(primal, values, xs, entries, tried, crude, joint, centre), strict=True):
            widths = [h.reshape(h.shape + (1,) * (n.ndim - h.ndim)) for h in (primal.gathered(t, entries, joint) for t in tried)]
            best = _chosen(s, n, widths, higher)
            unmoved = np.all([h == 0 for h in higher], axis=0) & np.all([v == c for v in around[len(found)]], axis=0)
            found.append(np.log(np.where(unmoved, np.nan, best)).reshape((len(entries), *joint, -1)))
        together = np.concatenate(found, axis=-1)
        known = np.isfinite(together)
        mean = np.sum(np.where(known, together, 0), axis=-1) / np.maximum(known.sum(axis=-1), 1)
        primal.store(result, chunk, np.where(known.any(axis=-1), np.exp(mean), usual).astype(primal.dtype))
    return [np.maximum(h, 8 * np.spacing(np.abs(x))) for h, x in zip(result, xs, strict=True)]


def _tried(primal: Primal, chunk: slice, xs: Sequence[Array], relative: Array, order: int, joint: Shape) -> list[list[Array]]:
    """The steps of the crude differences, for each of them arrays like xs."""
    unit = [np.ones((*joint, n), primal.dtype) for n in primal.sizes]
    primal.store(unit, chunk, (relative ** (1 / (order + 2))).astype(primal.dtype))
    return [[u * primal.dtype.type(t) * _scales(x)[kind] for u, x in zip(unit, xs, strict=True)] for kind in (0, 1) for t in TRIED]


def _higher(
    primal: Primal,
    values: list[Array],
    xs: Sequence[Array],
    entries: Array,
    tried: Sequence[Sequence[Array]],
    crude: Stencil,
    joint: Shape,
    centre: Sequence[Array],
) -> list[list[Array]]:
    """For each output, for each step tried, the size of its higher derivative."""
    shifts = [m for m in crude.nodes if m]
    positions = [[x + h * primal.dtype.type(m) for x, h in zip(xs, steps, strict=True)] for steps in tried for m in shifts]
    results = primal(primal.moved(values, [(entries, positions)]))
    offsets = [primal.gathered(differences(p, xs), entries, joint) for p in positions]
    found = []
    for result, middle, core in zip(results, centre, primal.shapes, strict=True):
        sizes = []
        for k in range(len(tried)):
            layers = slice(k * len(shifts), (k + 1) * len(shifts))
            moves = {m: o.reshape(o.shape + (1,) * len(core)) for m, o in zip(shifts, offsets[layers], strict=True)}
            at = dict(zip(shifts, result[layers], strict=True))
            gaps = [moves[m].astype(np.float64) if m else np.zeros(moves[shifts[0]].shape) for m in crude.nodes]
            sizes.append(np.abs(crude.difference(gaps, [np.asarray(at.get(m, middle), np.float64) for m in crude.nodes])))
        found.append(sizes)
    return found


def _chosen(s: Stencil, noise: Array, widths: Sequence[Array], higher: Sequence[Array]) -> Array:
    """The step by the derivative from the shortest step at which it stands out of the noise; by the longest, if it never does."""
    order = s.order + s.accuracy
    short, long = np.full(noise.shape, np.inf), np.full(noise.shape, 0.0)
    clear, faint = np.full(noise.shape, np.nan), np.full(noise.shape, np.nan)
    for h, size in zip(widths, higher, strict=True):
        finite = np.isfinite(size)
        use = finite & (size * h**order >= SIGNIFICANT * noise) & (size > 0) & (h < short)
        short, clear = np.where(use, h, short), np.where(use, size, clear)
        use = finite & (h > long)
        long, faint = np.where(use, h, long), np.where(use, np.maximum(size, noise / h**order), faint)
    shown = np.isfinite(short)
    h = best_step(s, noise, np.where(shown, clear, faint))
    return np.minimum(h, np.where(shown, short, long))
