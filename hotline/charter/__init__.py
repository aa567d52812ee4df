"""Who speaks on a hotline, with which keys, over which relays, by which rules; and how both sides agree on it.

profiles     timers and windows that fit a kind of link
documents    signed JSON in one spelling
cards        terminals, officers and offers that an identity key certifies; relays, which certify themselves
body         the text of a charter
model        a charter: drawn up, signed, loaded, and how programs ask it
ceremony     the steps of a ceremony
secrets      the private halves, as key files
pairwise     the secret that couriers carry
"""
