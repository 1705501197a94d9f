"""A lasting process that answers for short-lived ones: model, data and state stay in its memory.

`call.call` hands bytes to the worker of a folder and starts it when there is none; `call.stop` ends
it. Only bytes go over the local socket, never pickles. This file imports nothing, because a
process that lives for one message pays for every import.
"""
