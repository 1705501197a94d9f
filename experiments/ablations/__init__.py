"""Activation, normalisation and averaged weights: does the paper's guideline hold with ours?"""
