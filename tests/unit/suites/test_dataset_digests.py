"""The compact set that finds repeated rows."""

from __future__ import annotations

import random

from retest.suites.digest_set import DigestSet


def test_it_answers_like_a_python_set() -> None:
    """Members are found, strangers are not, through many growths."""
    rng = random.Random(1)  # noqa: S311 - test data, not a secret
    digests = [rng.getrandbits(64) for _ in range(20_000)]
    digests += rng.sample(digests, 5_000)
    rng.shuffle(digests)
    compact, reference = DigestSet(), set[int]()
    for digest in digests:
        assert compact.add(digest) == (digest in reference)
        reference.add(digest)
    assert len(compact) == len(reference)


def test_zero_and_negative_digests_are_members_too() -> None:
    """Python's own hash() is signed and may be 0."""
    compact = DigestSet()
    assert [compact.add(digest) for digest in (0, 0, -5, -5, 2**64 - 5)] == [False, True, False, True, True]


def test_digests_with_equal_low_bits_are_kept_apart() -> None:
    """Members that want the same slot do not hide each other."""
    compact = DigestSet()
    assert [compact.add(n << 32 | 7) for n in range(200)] == [False] * 200
    assert all(compact.add(n << 32 | 7) for n in range(200))
