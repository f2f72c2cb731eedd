"""`magiqa serve`: an HTTP service over one `Scorer`, and its page."""
