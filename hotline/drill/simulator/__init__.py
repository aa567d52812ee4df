"""A whole hotline in virtual time: the very Endpoint and Relay, and everything else made of memory.

world      one agenda, one seed, what nodes and cables have in common
power      disk, clocks and power switch of one machine
nodes      terminals and relays
cables     the streams between them
disk       what survives a power cut
memorylog  the ledger of a terminal
"""
