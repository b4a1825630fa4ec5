"""Baselines that run here, each behind one function or one program."""
