"""The bare Flower app that ours is compared with."""
