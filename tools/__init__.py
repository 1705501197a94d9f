"""Tools for working on baffle; none is part of the package."""
