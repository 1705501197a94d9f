"""Is ε what the accountant says? An attack on the released sums gives a bound from below."""
