"""optax, numpyro, distrax and TensorFlow Probability (its JAX substrate)."""

import distrax
import jax
import jax.numpy as jnp
import numpyro.distributions as numpyro
import optax
from problems import E_COST, E_WAVE, GAUSSIAN, MIXTURE, Case, cost_with, wave_with
from tensorflow_probability.substrates import jax as tfp

jax.config.update("jax_enable_x64", True)
tfd, mc = tfp.distributions, optax.monte_carlo
ROWS = 8192
cost, wave = cost_with(jnp.cos), wave_with(jnp.cos)


def many(one):
    """one(params, key) -> a dict of gradients; ROWS independent ones at once, from a seed."""
    run = jax.jit(jax.vmap(one, in_axes=(None, 0)))
    return lambda params, seed: run(params, jax.random.split(jax.random.PRNGKey(seed), ROWS))


def pathwise(sample, f):
    return many(lambda params, key: jax.grad(lambda p: f(sample(p, key)))(params))


def score(distribution, f):
    def surrogate(p, key):
        pi = distribution(p)
        a = jax.lax.stop_gradient(pi.sample(seed=key))
        return f(a) * pi.log_prob(a)

    return many(lambda params, key: jax.grad(surrogate)(params, key))


def optax_jacobians(estimator, n=1):
    def one(params, key):
        given = [params["mu"], params["log_std"]]
        mu, log_std = estimator(cost, given, optax.multi_normal, key, n)
        return {"mu": mu.mean(0), "log_std": log_std.mean(0)}

    return many(one)


def with_control_variate(variate, n=4):
    """A fresh state, as at the first step of training."""

    def estimator(function, params, distribution, key, samples):
        return mc.control_variates_jacobians(
            function,
            variate,
            mc.score_function_jacobians,
            params,
            distribution,
            key,
            samples,
            control_variate_state=(0.0, 0),
        )[0]

    return optax_jacobians(estimator, n)


def numpyro_normal(p, key):
    return numpyro.Normal(p["mu"], jnp.exp(p["log_std"])).sample(key)


def numpyro_mixture(p, key):
    components = numpyro.Normal(p["mu"], jnp.exp(p["log_std"])).to_event(1)
    weights = numpyro.Categorical(logits=p["logits"])
    return numpyro.MixtureSameFamily(weights, components).sample(key)


def distrax_mixture(p):
    components = distrax.Independent(distrax.Normal(p["mu"], jnp.exp(p["log_std"])), 1)
    return distrax.MixtureSameFamily(distrax.Categorical(logits=p["logits"]), components)


def tfp_mixture(reparameterize):
    def mixture(p):
        components = tfd.Independent(tfd.Normal(p["mu"], jnp.exp(p["log_std"])), 1)
        weights = tfd.Categorical(logits=p["logits"])
        return tfd.MixtureSameFamily(weights, components, reparameterize=reparameterize)

    return mixture


def seeded(distribution):
    return lambda p, key: distribution(p).sample(seed=key)


def gaussian(normal):
    return seeded(lambda p: normal(p["mu"], jnp.exp(p["log_std"])))


def on_gaussian(library, name, subject, *expected):
    return Case(library, name, subject, GAUSSIAN, E_COST, *expected)


def on_mixture(library, name, subject, *expected):
    return Case(library, name, subject, MIXTURE, E_WAVE, *expected)


JACOBIANS = {
    "pathwise_jacobians": mc.pathwise_jacobians,
    "score_function_jacobians": mc.score_function_jacobians,
    "measure_valued_jacobians": mc.measure_valued_jacobians,
}
MIXED = "MixtureSameFamily, pathwise"
CASES = [
    *(on_gaussian("optax", name, optax_jacobians(f)) for name, f in JACOBIANS.items()),
    on_gaussian("optax", "control_delta_method", with_control_variate(mc.control_delta_method)),
    on_gaussian(
        "optax", "moving_avg_baseline", with_control_variate(mc.moving_avg_baseline), "biased"
    ),
    on_gaussian("numpyro", "Normal, pathwise", pathwise(numpyro_normal, cost)),
    on_mixture("numpyro", MIXED, pathwise(numpyro_mixture, wave), "biased"),
    on_gaussian("distrax", "Normal, pathwise", pathwise(gaussian(distrax.Normal), cost)),
    on_mixture("distrax", MIXED, pathwise(seeded(distrax_mixture), wave), "biased"),
    on_mixture("distrax", "MixtureSameFamily, score function", score(distrax_mixture, wave)),
    on_gaussian("tfp-nightly", "Normal, pathwise", pathwise(gaussian(tfd.Normal), cost)),
    on_mixture(
        "tfp-nightly", f"{MIXED}, reparameterize=True", pathwise(seeded(tfp_mixture(True)), wave)
    ),
    on_mixture(
        "tfp-nightly",
        f"{MIXED}, reparameterize=False",
        pathwise(seeded(tfp_mixture(False)), wave),
        "biased",
    ),
]
