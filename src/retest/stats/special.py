"""The special functions that the statistics use, without the rest of SciPy's package of them.

They are SciPy's own ufuncs. The package around them prepares each for other array libraries and reads its documentation
while it is loaded, which takes six times as long as what is loaded here.
"""

from __future__ import annotations

from retest.deferred_packages import deferring

with deferring("scipy.special"):
    from scipy.special._ufuncs import (
        betaincinv,
        chdtrc,
        gammaln,
        ndtr,
        ndtri,
        stdtrit,
        xlog1py,
        xlogy,
    )

__all__ = ["betaincinv", "chdtrc", "gammaln", "ndtr", "ndtri", "stdtrit", "xlog1py", "xlogy"]
