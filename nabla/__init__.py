"""Everything around the mathematics: the command `nabla` and its figures."""
