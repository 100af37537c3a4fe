"""Probabilities of two events by scipy's bivariate normal law: the literals of `kernel::copula`.

Run: python3 tests/oracle/copula.py
"""

from scipy.special import ndtri
from scipy.stats import multivariate_normal


def main():
    for p, q, r in [(0.681, 0.806, 0.679), (0.5, 0.25, 0.2), (0.99, 0.9, 0.9), (0.02, 0.6, 0.4), (0.7, 0.72, -0.5)]:
        law = multivariate_normal([0, 0], [[1, r], [r, 1]])
        print(f"({p}, {q}, {r}, {law.cdf([ndtri(p), ndtri(q)]):.12}),")


if __name__ == "__main__":
    main()
