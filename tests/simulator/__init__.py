"""The same Endpoint and Relay under virtual time (hotline/drill/simulator), hostile weather and judges.

schedule   what happens and when: commands, drawn from a seed
weather    what they do to cables, machines, disks and clocks; adversary, clone, perjury, forgery: who is hostile
people     who says and reads; officers: what else is done at a terminal, from presence to release
judges     what must hold of statements; promises: of time; procedure: of what officers do; secrecy: of what relays see;
           audit: of disks and memories; company: where parties have several terminals; watches: of operators and their
           watches; checklists; amendments: of charters
play       one schedule from its first command to the verdict; speed: what makes that faster
run        many seeds; `python -m tests.simulator.run --seeds 2000 --short --results FILE`
timers     those of a charter, drawn from the seed, and the bounds that follow from them
shrink     a failing seed made short; `python -m tests.simulator.shrink SEED`
planted    faults that judges must see; `python -m tests.simulator.planted`
several    three parties: delegates at windows, their judges in parties, alike and checklists
           (`python -m tests.simulator.several`)
"""
