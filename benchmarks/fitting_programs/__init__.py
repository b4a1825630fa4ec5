"""Dynamics programs under the contract of a candidate, which the optimisers are compared on."""
