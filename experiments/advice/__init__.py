"""Does `baffle advise` predict what a client's round takes, and choose what is cheapest?"""
