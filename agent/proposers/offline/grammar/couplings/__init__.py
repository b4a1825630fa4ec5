"""Couplings, one a file: every class with a word is found by
agent.proposers.offline.grammar.registry."""
