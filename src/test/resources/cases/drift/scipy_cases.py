"""Writes scipy.json: distances between small samples, by SciPy. Run it in this folder.

Values are the middles of buckets of FloatHistogram, so that a histogram loses nothing of them.
"""

import json

import numpy
import scipy
from scipy.spatial.distance import jensenshannon
from scipy.stats import entropy, ks_2samp, wasserstein_distance

random = numpy.random.default_rng(14)


def middles(size, exponents, negative):
    mantissa = 1 + (random.integers(0, 128, size) + 0.5) / 128
    values = mantissa * 2.0 ** random.integers(*exponents, size)
    return numpy.where(random.random(size) < negative, -values, values)


def zeroed(values, share):
    return numpy.where(random.random(len(values)) < share, 0, values)


pairs = {
    "same magnitudes": (middles(40, (-2, 2), 0.5), middles(60, (-2, 2), 0.5)),
    "moved up": (middles(200, (-3, 1), 0.3), middles(150, (-2, 2), 0.3)),
    "half of it zero": (
        zeroed(middles(300, (-4, 3), 0), 0.5),
        zeroed(middles(300, (-4, 3), 0), 0.6),
    ),
    "an outlier": (middles(100, (-1, 1), 0.5), numpy.append(middles(99, (-1, 1), 0.5), 8224)),
    "nothing in common": (middles(20, (0, 3), 0), middles(20, (0, 3), 1)),
    "tiny and huge": (middles(50, (-120, 120), 0.5), middles(50, (-120, 120), 0.5)),
}
samples = []
for name, (x, y) in pairs.items():
    samples.append(
        {
            "name": name,
            "reference": [float(v) for v in x],
            "current": [float(v) for v in y],
            "kolmogorov_smirnov": float(ks_2samp(x, y).statistic),
            "wasserstein": float(wasserstein_distance(x, y)),
            "std": float(numpy.std(x)),
        }
    )

shares = []
for size in (2, 3, 10, 13, 20):
    for _ in range(4):
        p = random.dirichlet(numpy.full(size, 0.5))
        q = random.dirichlet(numpy.full(size, 0.5))
        q[random.integers(size)] = 0
        q /= q.sum()
        a = (p + 1e-4) / (p + 1e-4).sum()
        b = (q + 1e-4) / (q + 1e-4).sum()
        shares.append(
            {
                "p": list(p),
                "q": list(q),
                "psi": float(entropy(a, b) + entropy(b, a)),
                "jensen_shannon": float(jensenshannon(p, q, 2)),
                "hellinger": float(numpy.linalg.norm(numpy.sqrt(p) - numpy.sqrt(q)) / numpy.sqrt(2)),
            }
        )

with open("scipy.json", "w") as out:
    json.dump(
        {
            "source": f"scipy_cases.py with SciPy {scipy.__version__} and NumPy {numpy.__version__}",
            "samples": samples,
            "shares": shares,
        },
        out,
        indent=1,
    )
    out.write("\n")
