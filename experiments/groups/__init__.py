"""Groups of clients with directions of their own: what they gain and when they do not."""
