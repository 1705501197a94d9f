"""An edge gateway: a fleet over plain HTTP(S), for devices that cannot hold Flower's node."""
