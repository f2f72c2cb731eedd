"""CLIP: weights, tokens, networks and the engines that run them."""
