"""Where spikes are in a long sum: at the seams of blocks in which code may add it up."""

from __future__ import annotations


def spikes_of(count: int) -> list[int]:
    """Places on both sides of where two blocks of a sum over so many values may meet, and both ends.

    Such are the first and the last seam of blocks of powers of two and of ten values, and those of eighths and thirds.
    Each seam is even, so that the values on its sides have opposite signs.
    """
    blocks = {2**power for power in range(2, 21)} | {10**power for power in range(1, 7)}
    last = {(count - 1) // block * block for block in blocks}
    parts = {count * part // of // 2 * 2 for of in (3, 8) for part in range(1, of)}
    seams = {seam for seam in blocks | last | parts if 4 <= seam < count}
    return sorted({0, count - 1, *seams, *(seam - 1 for seam in seams)})
