"""engram: compression of collections of small images by auto-associative networks."""
