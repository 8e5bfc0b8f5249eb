"""A minimal Soft Actor-Critic whose actor step is one call of an estimator of the catalogue."""
