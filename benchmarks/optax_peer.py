"""optax's Monte-Carlo gradients under jit, on the problem of gradients.py; prints one JSON line.

Run by gradients.py with the Python of an environment that has optax 0.2.6 and jax.
"""

import json
import statistics
import sys
import time

import jax
import jax.numpy as jnp
import optax

D, ESTIMATES, REPEATS = 6, 10**6, int(sys.argv[1])


def cost(a):
    return jnp.sum((a - 1) ** 2) / 2


def median_seconds(jacobians):
    params = [jnp.full(D, 0.3), jnp.full(D, -0.4)]
    run = jax.jit(lambda key: jacobians(cost, params, optax.multi_normal, key, ESTIMATES))
    key = jax.random.PRNGKey(0)
    mean = [float(j.mean()) for j in jax.block_until_ready(run(key))]
    seconds = []
    for i in range(REPEATS):
        start = time.perf_counter()
        jax.block_until_ready(run(jax.random.fold_in(key, i)))
        seconds.append(time.perf_counter() - start)
    return statistics.median(seconds), mean


pathwise = median_seconds(optax.monte_carlo.pathwise_jacobians)
score = median_seconds(optax.monte_carlo.score_function_jacobians)
print(
    json.dumps(
        {
            "versions": f"optax {optax.__version__}, jax {jax.__version__}",
            "reparameterization": pathwise,
            "score_function": score,
        }
    )
)
