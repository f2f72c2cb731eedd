"""Many pictures: where they come from, how they are scored, where rows go."""
