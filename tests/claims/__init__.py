"""The claims ledger's evidence: the tests of the claims, in a wheel `nabla.claims.evidence`."""
