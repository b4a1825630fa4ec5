"""The nouns of a search and its pure rules: archive, policy, diagnosis, screen, split, affordances;
protocols between rooms."""
