"""How one candidate is judged: jobs in the sandbox, losses by stage, score."""
