"""Damage files as bad disks, cut copies and full quotas do; what is damaged where is drawn from a random.Random."""

from pathlib import Path
from random import Random


def flip(path: Path, random: Random, bits: int = 1) -> list[int]:
    """Flip this many distinct bits of the file in place; return their places, counted from the first bit of the file."""
    content = bytearray(path.read_bytes())
    places = random.sample(range(8 * len(content)), bits)
    for place in places:
        content[place // 8] ^= 1 << place % 8
    path.write_bytes(content)
    return places


def truncate(path: Path, random: Random) -> int:
    """Cut the file after a random number of bytes, at least one and not all; return how many are left."""
    left = random.randrange(1, path.stat().st_size)
    path.write_bytes(path.read_bytes()[:left])
    return left


def empty(path: Path, random: Random | None = None) -> None:
    """Leave the file without content; takes a random.Random as the others do, and draws nothing."""
    path.write_bytes(b"")
