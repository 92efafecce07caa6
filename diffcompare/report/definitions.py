"""What the words of a report mean; each number on the page leads here."""

from __future__ import annotations

TERMS: dict[str, str] = {
    "truth": "Values and derivatives certified by ball arithmetic on power series (Arb), to 70 bits or to one float64. It uses no "
    "derivative rule of any method here.",
    "error": "The error of the answer in units of ε |D| (1 + condition): of the change of the derivative D that relative errors of ε "
    "in the inputs may cause. A few units are what careful arithmetic gives; the largest over the entries of an answer.",
    "ulp": "How many floats lie between the answer and the truth. Where the truth is nearly 0 by cancellation, every method is many "
    "ulps off.",
    "relative error": "|error| / |truth|, the largest over the entries whose truth is not 0.",
    "condition": "Σ |x_j ∂D/∂x_j| / |D| over all inputs, of the derivative D: what relative errors of the inputs are multiplied with.",
    "ok": "Every entry is within the error that its method promises at this point; every record holds the bound. For exact methods it "
    "is 4 √(5 n) ε |D| (1 + condition), with n the operations of the function: rounding errors of N operations add up like √N (Higham "
    "and Mary 2019), and a derivative takes at most about 5 operations for each of the function's (Griewank and Walther). For "
    "differences it is twice the truncation error of the stencil, from certified higher derivatives at the point, and the rounding "
    "error of the values, from ball arithmetic of the same precision, divided by the step. Where the function varies over lengths "
    "shorter than the step, no truncation is allowed.",
    "inaccurate": "Beyond the bound of ok, of the wrong shape, or finite where the function is not defined.",
    "nan": "NaN or infinity where the truth is finite.",
    "unsupported": "Refused by the method or the engine before anything ran, with its reason.",
    "too_large": "Refused for its size, or beyond the memory given.",
    "timeout": "No answer within the time given.",
    "failed": "An exception, or the process died.",
    "unjudged": "Answered, but no truth could be certified.",
    "kink": "A point where no derivative exists: a kink, a jump, the end of a domain. Entries there are not judged.",
    "derive": "Time from the function to the derivative's graph.",
    "compile": "Time from the graph to what runs.",
    "first call": "Time of the first call after preparation, where a just-in-time compiler works.",
    "call": "Time of a steady call through the public interface, checks of the arguments included: the least of several batches, the "
    "garbage collector parked.",
    "quartiles": "Between which half of the samples of a steady call lie.",
    "a point of a batch": "The time of one call on a batch of points, for each point: the least of several batches.",
    "overhead": "What a call of the same kind that does nothing takes through the same interface; part of the time of a call.",
    "pays after": "The number of calls from which on the whole, preparation and calls, takes no longer than by the method that is ready "
    "first; 1 for that one. Of right answers alone.",
    "memory": "How far the resident memory of the process rose while the method was prepared and answered; what the process had in hand "
    "counts as nothing, so small methods show 0.",
    "evaluations": "How often one call evaluates the function itself: differences do, derivatives by rules do not.",
    "of its bound": "The largest error over what ok allows at that entry: up to 1 is ok.",
    "call / best": "The time of one call over that of the fastest method on any engine for the same problem; geometric mean over the "
    "problems.",
    "N calls / best": "Preparation, first call and N - 1 steady calls, over the least such time of any for the same problem; geometric "
    "mean over the problems.",
    "operations": "Scalar operations of one call; they do not depend on the machine. A matrix product counts its multiplications and "
    "additions.",
    "weighted operations": "Scalar operations with an elementary function (exp, sin, a power) counted as 10, an addition or a "
    "multiplication as 1.",
    "not taken": "Cells that the method refused: unsupported or too_large.",
    "bits lost": "log2(1 + ulp) at the worst point: 0 is exact to the last bit, 1 is one ulp, 52 leaves nothing, 64 is NaN.",
    "exponent": "The slope p of ratio ~ n^p fitted by least squares to logarithms: 0 is a cost that stays in proportion to the "
    "function's whatever its size, 1 is one more evaluation for each input.",
    "truncation": "The first term of the Taylor series that a difference leaves out: h/2 |f''| for forward, h²/6 |f'''| for central "
    "and complex differences.",
    "rounding": "What the rounding of f does to a difference, ε |f| / h; of the complex step, which takes no difference, ε |f'|.",
    "directions": "jvp, vjp and hvp are measured along 1, -1/2, 1/4, -1/8, 1, ... over the entries.",
}


def place(term: str) -> str:
    """The fragment of the page that explains a term."""
    return "def-" + "".join(c if c.isalnum() else "-" for c in term.lower())
