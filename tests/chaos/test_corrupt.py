from random import Random

import pytest

from chaos.corrupt import empty, flip, truncate


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "file"
    path.write_bytes(bytes(range(100)))
    return path


def test_as_many_bits_differ_as_were_flipped(path):
    before = int.from_bytes(path.read_bytes(), "little")
    places = flip(path, Random(0), 5)
    assert before ^ int.from_bytes(path.read_bytes(), "little") == sum(1 << place for place in places)
    assert len(set(places)) == 5


def test_a_truncated_file_is_the_beginning_of_the_whole_one(path):
    whole = path.read_bytes()
    left = truncate(path, Random(0))
    assert path.read_bytes() == whole[:left] != b""
    empty(path, Random(0))
    assert path.read_bytes() == b""


def test_the_same_seed_does_the_same_damage(path):
    whole, damaged = path.read_bytes(), set()
    for _ in range(2):
        path.write_bytes(whole)
        flip(path, Random(7))
        damaged.add(path.read_bytes())
    assert len(damaged) == 1
