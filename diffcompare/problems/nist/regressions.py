"""A problem for each data set: residuals model(b, x) - y and their Jacobian by the parameters b; x and y are inputs that stay fixed.

The measurements are not here. A problem has synthetic ones, as many as one likes: the model at parameters like the certified ones,
in the range of NIST's predictors, with noise as large as NIST's residuals. diffcompare.fit takes the measurements themselves.
"""

from __future__ import annotations

import numpy as np

from ...dsl import function, symbol
from ...dsl.elementary import log
from ...problem import Array, Family, Point, Problem, Size
from ..least_squares import columns
from . import models
from .models import Model

SEED = 19981109
SOURCE = "NIST/ITL Statistical Reference Datasets, Nonlinear Regression (Rogers, Filliben, Gill, Guthrie, Lagergren, Vangel, 1998)"
Range = tuple[float, float]


def _regression(name: str, model: Model, start: str, second_start: str, best: str, noise: float, *ranges: Range) -> Family:
    """The family nist_NAME(observations): two starts, the certified parameters rounded, the residuals' size, the predictors' ranges."""
    texts = {"start": start, "second start": second_start, "near the minimum": best}
    parameters = {label: np.array(text.split(), dtype=np.float64) for label, text in texts.items()}
    count = len(parameters["start"])

    def build(observations: int) -> Problem:
        data = _data(model, parameters["near the minimum"], observations, noise, ranges)
        b, *predictors, y = (symbol(n, shape=np.shape(v)) for n, v in {"b": parameters["start"], **data}.items())
        value, slopes = model(list(b), *predictors)
        measured = log(y) if model in OF_LOGARITHM else y
        jacobian = {"b": columns(observations, *slopes)}
        return Problem(
            function([b, *predictors, y], value - measured, name=build.__name__, jacobian=jacobian),
            points=tuple(Point(label, {"b": values, **data}) for label, values in parameters.items()),
            source=f"{SOURCE}: {name}",
            wrt=("b",),
        )

    build.__name__ = f"nist_{name.lower()}"
    build.__doc__ = model.__doc__
    size = Size(count + 4, count, 10_000, "rows of the synthetic data, as many as parameters or more")
    return Family(build.__name__, build, {"observations": size}, ("nist", "regression", "residuals"))


def _data(model: Model, b: Array, n: int, noise: float, ranges: tuple[Range, ...]) -> dict[str, Array]:
    """Predictors and y by name: the model with noise."""
    rng = np.random.default_rng(SEED)
    names = ("x",) if len(ranges) == 1 else tuple(f"x{k + 1}" for k in range(len(ranges)))
    predictors = {name: rng.uniform(*limits, n) for name, limits in zip(names, ranges, strict=True)}
    measured = model(b, *predictors.values())[0] + noise * rng.standard_normal(n)
    return {**predictors, "y": np.exp(measured) if model in OF_LOGARITHM else measured}


OF_LOGARITHM = {models.nelson}
"""The models of log y."""

LANCZOS_1, LANCZOS_2 = "1.2 0.3 5.6 5.5 6.5 7.6", "0.5 0.7 3.6 4.2 4 6.3"
nist_bennett5 = _regression(
    "Bennett5", models.bennett5, "-2000 50 0.8", "-1500 45 0.85", "-2523.506 46.73656 0.9321848", 0.0019, (7.4, 12.3)
)
nist_boxbod = _regression("BoxBOD", models.rise, "1 1", "100 0.75", "213.8094 0.5472375", 17.0, (1, 10))
nist_chwirut1 = _regression(
    "Chwirut1", models.chwirut, "0.1 0.01 0.02", "0.15 0.008 0.01", "0.1902782 0.006131400 0.01053091", 3.4, (0.5, 6)
)
nist_chwirut2 = _regression(
    "Chwirut2", models.chwirut, "0.1 0.01 0.02", "0.15 0.008 0.01", "0.1665767 0.005165329 0.01215001", 3.2, (0.5, 6)
)
nist_danwood = _regression("DanWood", models.danwood, "1 5", "0.7 4", "0.7688623 3.860406", 0.033, (1.3, 1.7))
nist_enso = _regression(
    "ENSO",
    models.enso,
    "11 3 0.5 40 -0.7 -1.3 25 -0.3 1.4",
    "10 3 0.5 44 -1.5 0.5 26 -0.1 1.5",
    "10.51075 3.076213 0.5328014 44.31109 -1.623143 0.5255449 26.88761 0.2123229 1.496687",
    2.2,
    (1, 168),
)
nist_eckerle4 = _regression("Eckerle4", models.eckerle4, "1 10 500", "1.5 5 450", "1.554383 4.088832 451.5412", 0.0068, (400, 500))
nist_gauss1 = _regression(
    "Gauss1",
    models.gauss,
    "97 0.009 100 65 20 70 178 16.5",
    "94 0.0105 99 63 25 71 180 20",
    "98.77821 0.01049728 100.4899 67.48111 23.12977 71.99450 178.9981 18.38939",
    2.3,
    (1, 250),
)
nist_gauss2 = _regression(
    "Gauss2",
    models.gauss,
    "96 0.009 103 106 18 72 151 18",
    "98 0.0105 103 105 20 73 150 20",
    "99.01833 0.01099495 101.8802 107.0310 23.57858 72.04559 153.2701 19.52597",
    2.3,
    (1, 250),
)
nist_gauss3 = _regression(
    "Gauss3",
    models.gauss,
    "94.9 0.009 90.1 113 20 73.8 140 20",
    "96 0.0096 80 110 25 74 139 25",
    "98.94037 0.01094588 100.6955 111.6362 23.30050 73.70503 147.7616 19.66822",
    2.3,
    (1, 250),
)
nist_hahn1 = _regression(
    "Hahn1",
    models.quotient,
    "10 -1 0.05 -0.00001 -0.05 0.001 -0.000001",
    "1 -0.1 0.005 -0.000001 -0.005 0.0001 -0.0000001",
    "1.077635 -0.1226930 0.004086375 -1.426266e-6 -0.005760994 0.0002405374 -1.231445e-7",
    0.082,
    (14, 852),
)
nist_kirby2 = _regression(
    "Kirby2",
    models.quotient,
    "2 -0.1 0.003 -0.001 0.00001",
    "1.5 -0.15 0.0025 -0.0015 0.00002",
    "1.674506 -0.1392740 0.002596118 -0.001724181 2.166480e-5",
    0.16,
    (9.6, 372),
)
nist_lanczos1 = _regression("Lanczos1", models.decays, LANCZOS_1, LANCZOS_2, "0.0951 1 0.8607 3 1.5576 5", 8.9e-14, (0, 1.15))
nist_lanczos2 = _regression(
    "Lanczos2", models.decays, LANCZOS_1, LANCZOS_2, "0.09625103 1.005733 0.8642469 3.007828 1.552902 5.002880", 1.1e-6, (0, 1.15)
)
nist_lanczos3 = _regression(
    "Lanczos3", models.decays, LANCZOS_1, LANCZOS_2, "0.08681641 0.9549810 0.8440078 2.951595 1.582569 4.986357", 3e-5, (0, 1.15)
)
nist_mgh09 = _regression(
    "MGH09", models.mgh09, "25 39 41.5 39", "0.25 0.39 0.415 0.39", "0.1928069 0.1912823 0.1230565 0.1360623", 0.0066, (0.06, 4)
)
nist_mgh10 = _regression("MGH10", models.mgh10, "2 400000 25000", "0.02 4000 250", "0.005609636 6181.346 345.2236", 2.6, (50, 125))
nist_mgh17 = _regression(
    "MGH17", models.mgh17, "50 150 -100 1 2", "0.5 1.5 -1 0.01 0.02", "0.3754101 1.935847 -1.464687 0.01286753 0.0221227", 0.0014, (0, 320)
)
nist_misra1a = _regression("Misra1a", models.rise, "500 0.0001", "250 0.0005", "238.9421 0.0005501564", 0.1, (77, 760))
nist_misra1b = _regression("Misra1b", models.misra1b, "500 0.0001", "300 0.0002", "337.9975 0.0003903909", 0.079, (77, 760))
nist_misra1c = _regression("Misra1c", models.misra1c, "500 0.0001", "600 0.0002", "636.4273 0.0002081363", 0.058, (77, 760))
nist_misra1d = _regression("Misra1d", models.misra1d, "500 0.0001", "450 0.0003", "437.3697 0.0003022732", 0.069, (77, 760))
nist_nelson = _regression(
    "Nelson", models.nelson, "2 0.0001 -0.01", "2.5 5e-9 -0.05", "2.590684 5.617772e-9 -0.05770101", 0.17, (1, 64), (180, 275)
)
nist_rat42 = _regression("Rat42", models.rat42, "100 1 0.1", "75 2.5 0.07", "72.46224 2.618077 0.0673592", 1.2, (9, 79))
nist_rat43 = _regression("Rat43", models.rat43, "100 10 1 1", "700 5 0.75 1.3", "699.6415 5.277125 0.7596294 1.279248", 28.0, (1, 15))
nist_roszman1 = _regression(
    "Roszman1",
    models.roszman1,
    "0.1 -0.00001 1000 -100",
    "0.2 -0.000005 1200 -150",
    "0.2019687 -6.195352e-6 1204.456 -181.3427",
    0.0049,
    (-4869, -464),
)
nist_thurber = _regression(
    "Thurber",
    models.quotient,
    "1000 1000 400 40 0.7 0.3 0.03",
    "1300 1500 500 75 1 0.4 0.05",
    "1288.140 1491.079 583.2384 75.41664 0.9662950 0.3979729 0.0497273",
    14.0,
    (-3.07, 2.2),
)
