"""Is `baffle` ever worse than another method by forward passes, at equal example evaluations?"""
