"""What does an attack recover of a client's images, from gradients and from K scalars?"""
