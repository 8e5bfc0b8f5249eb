"""The known slips in words, by the key of a diagnosis."""

MEANINGS = {
    "sign": "the gradient with the wrong sign",
    "missing_entropy": "the entropy term α log π is missing",
    "sign_of_entropy": "the entropy term has the wrong sign",
    "sign_of_q": "Q has the wrong sign",
    "half_log_det": "half of log π's log-determinant is missing: look for log det L or log σ where "
    "log det Σ = 2 log det L or log σ² belongs",
    "double_log_det": "log π's log-determinant counts twice: look for log det Σ or log σ² "
    "without its ½",
    "noise_density": "log π is the density of the noise ε, not of the action: look for a log_prob "
    "without −log σ (the log-determinant of a = μ + σε)",
    "detached_cost": "the cost, or the action in Q, is cut off from the parameters: Q is not felt",
    "entropy_per_dimension": "log π is averaged over the action's entries, not summed: look for "
    ".mean(-1), or .mean() over everything, on log_prob",
    "entropy_per_state": "log π is averaged over the batch of states, then multiplied with each "
    "state's score: look for log_prob.mean() inside the cost",
    "entropy_per_action": "log π is averaged over the actions of an estimate, then multiplied with "
    "each one's score: look for log_prob.mean() inside the cost",
    "alpha_forgotten": "α is forgotten (taken as 1)",
    "entropy_weight": "the weight of the entropy term is not α",
    "attached_cost": "the cost is left attached: the entropy term counts twice",
    "log_det_forgotten": "the log-determinant of tanh is forgotten",
    "log_det_twice": "the log-determinant of tanh is applied once too often",
    "sign_of_log_det": "the log-determinant of tanh has the wrong sign",
    "log_det_epsilon": "an epsilon inside the logarithm of tanh's determinant",
    "tanh_twice": "the log-determinant of tanh is taken at a = tanh(u), not at u: look for "
    "tanh(action) in log(1 − tanh(action)²), where action is a tanh already",
    "tanh_twice_in_action": "the action goes through tanh twice: look for tanh(action) in the "
    "critic's argument, where action is a tanh already",
    "not_squashed": "the actions go through tanh, the objective's do not: --squash?",
    "atanh_of_clamp": "the density is taken at atanh of a clamped action: look for atanh( and "
    ".clamp( on the action, and keep u in their place",
    "log_lost": "π(a) in the place of log π(a): look for a missing .log(), or .exp() too many",
    "unnormalised": "the logits in the place of log π: look for a missing log_softmax",
    "clamped_probability": "the probabilities are clamped before the logarithm, and those cut get "
    "no gradient: look for .clamp( on probs",
    "advantage_over_deviation": "the advantage is divided by its standard deviation: look for "
    "/ (advantage.std() + eps)",
    "score_in_place_of_path": "∇_θ log π in the place of ∇_θ f",
    "marginal_cdfs": "marginal distribution functions in the place of conditional ones",
    "component_weights": "the mixture's weights get no gradient from the choice of component",
    "attached_action": "the action is left attached in a score function",
    "discontinuous_q": "a pathwise estimator, and Q jumps: the jumps' part is missing",
    "factor_n": "the gradient times n: a sum over actions in the place of a mean",
    "factor_1-1/n": "the gradient times 1 − 1/n: a baseline that sees its own action",
    "factor_1/n": "the gradient divided by n once too often",
    "factor": "the gradient times a constant",
    "sigma_for_log_std": "the derivative by σ in the place of that by log σ",
    "off_policy": "the actions are not drawn from π, and have no importance weights: look for "
    "replayed actions, and a missing exp(log π(a) − log π_old(a))",
    "no_gradient": "an entry of a parameter gets no gradient: look for .clamp( or a ReLU on it",
    "missing_gradient": "a parameter that the surrogate does not reach",
    "not_the_density": "the policy's log_prob is not the density of its samples",
    "q_of_the_batch": "Q's value of one action depends on the other actions",
}
