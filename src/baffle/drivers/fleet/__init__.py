"""A fleet's server and clients, whatever carries their bytes: run folder, loop, model and data."""
