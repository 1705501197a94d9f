"""`baffle advise`: what of this a device can run, what it costs there, and which way to take."""
