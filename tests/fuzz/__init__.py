"""Fuzzing: every parser, the step of every machine, and the operator socket.

targets     what is fuzzed, what must hold of what is accepted, and where the first inputs come from
papers      the same for files and words that people hand in
evidence    the same for records and evidence of somebody else, and for questions of a conformance kit
machines    both machines under events made of bytes, with peers who sign nonsense with their real keys
agreement   the product against the independent decoder
several     a terminal among three parties, of which both others lie
siblings    a terminal among several of both parties, of which all others lie
operators   every request of an officer before the real service
sayings     what a peer could lawfully say at one moment, and with fields of its choice
fields      messages whose fields an input chooses
disk        whether a disk would take what a step puts out
copies      a prepared machine, copied for each execution
mutation    mutation of inputs, blind or in a target's form, the same for the same seed
forms       mutation that keeps a form: JSON, lines of words, protobuf
__main__    `python -m tests.fuzz`: long runs, coverage-guided by Atheris where it is installed
every       all of them by their names
corpus      inputs that reach different code, some tens for a target
regressions inputs that once broke something; replayed with every test run
"""
