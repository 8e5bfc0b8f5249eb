import hypothesis
import pytest
import torch

hypothesis.settings.register_profile("nabla", derandomize=True, deadline=None, max_examples=30)
hypothesis.settings.load_profile("nabla")


@pytest.fixture(autouse=True)
def _global_seed_untouched():
    """Randomness is an argument: no test, and nothing it calls, may touch the global generator."""
    before = torch.random.get_rng_state()
    yield
    assert torch.equal(before, torch.random.get_rng_state())
