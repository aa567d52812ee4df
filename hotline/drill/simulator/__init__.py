"""A whole hotline in virtual time: the very Endpoint and Relay, and everything else made of memory.

world      one agenda, one seed, what nodes and cables have in common
power      disk, clocks and power switch of one machine
nodes      terminals and relays; conferences: a terminal among several parties
cables     streams in hostile weather: frames are lost, doubled and overtaken
lines      streams as TCP makes them, for drills; ways: one direction of one
disk       what survives a power cut; shelf: what a machine sees of it; memorylog: the ledger of a terminal
faults     what a drill does to all that
observer   what a drill writes down of it; aftermath: texts on disks, both ledgers
"""
