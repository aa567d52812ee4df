"""The conformance kit: cases of every kind of bytes of the specification, and what an implementation makes of them.

kit         case files, questions, answers, and the comparison of what was given with what is expected
answers     this implementation's answers, by kind
channel     its answers about frames, envelopes, keys and contents
agreement   its answers about cards, the charter and the pairwise secret
record      its answers about leaves, trees, checkpoints, policies, proofs and evidence

Every case is a function of what is given: nothing here reads a clock or randomness.
"""
