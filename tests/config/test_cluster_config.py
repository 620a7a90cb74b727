import pytest

from valuedrift.config.cluster import ClusterConfig


@pytest.mark.parametrize(("block", "most"), [({"device": "cpu"}, 0), ({}, 8), ({"device": "gpu", "gpus": 2}, 2)])
def test_the_device_alone_says_whether_there_are_gpus(block, most):
    assert ClusterConfig(**block).most == most


@pytest.mark.parametrize("block", [{"device": "cpu", "gpus": 4}, {"device": "gpu", "gpus": 0}, {"gpus": 0}])
def test_a_device_and_a_number_of_gpus_that_contradict_are_both_named(block):
    with pytest.raises(ValueError, match=r"`device: .*` and `gpus: .* contradict"):
        ClusterConfig(**block)
