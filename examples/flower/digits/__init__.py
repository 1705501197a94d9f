"""A Flower app whose clients answer with loss differences."""
