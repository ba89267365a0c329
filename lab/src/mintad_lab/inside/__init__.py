"""Looking inside a bundle: reconstructed features, queries, class tokens, recognised products."""
