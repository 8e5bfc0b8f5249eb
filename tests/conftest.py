import os

import hypothesis
import pytest
import torch

hypothesis.settings.register_profile("nabla", derandomize=True, deadline=None, max_examples=30)
hypothesis.settings.register_profile(
    "mutant",  # of `make mutation`: that it fails is enough, how simply does not matter
    hypothesis.settings.get_profile("nabla"),
    phases=(hypothesis.Phase.explicit, hypothesis.Phase.generate),
)
hypothesis.settings.load_profile("mutant" if "MUTANT_UNDER_TEST" in os.environ else "nabla")


@pytest.fixture(autouse=True)
def _global_seed_untouched():
    """Randomness is an argument: no test, and nothing it calls, may touch the global generator."""
    before = torch.random.get_rng_state()
    yield
    assert torch.equal(before, torch.random.get_rng_state())


@pytest.fixture(autouse=True)
def _threads_untouched():
    """A training sets the threads of its process: what comes after it here is to have its own."""
    before = torch.get_num_threads()
    yield
    if torch.get_num_threads() != before:
        torch.set_num_threads(before)
