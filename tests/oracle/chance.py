"""Literal values of keyed draws: an independent SplitMix64. Prints what the tests of
src/kernel/chance.rs expect: `python3 tests/oracle/chance.py`."""
M = (1 << 64) - 1
G = 0x9E3779B97F4A7C15


def mix(z):
    z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & M
    z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & M
    return z ^ (z >> 31)


def draw(seed, replication, request, attempt, purpose):
    base = mix((mix((seed + G) & M) + replication * G) & M)
    key = (mix((base + request * G) & M) + attempt * 32 * G) & M
    return mix((key + (purpose + 1) * G) & M)


for attempt, purpose in [(0, 0), (0, 6), (1, 6)]:
    print(hex(draw(1, 0, 0, attempt, purpose)))
