"""Pictures: decoding, views and what to be warned of."""
