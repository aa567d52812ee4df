"""What an endpoint decides. Pure: no clock, no file, no socket, no randomness of its own.

endpoint     Endpoint, the dispatcher and the journeys of a statement
events       what an endpoint can be told
tables       the operational tables and the port through which history is looked up
statements   making and reading the signed content
prekeys      our prekeys and the peer's newest
session      sealing to and opening from one peer terminal
paths        one relay as a path: state table, detector, beats
outbox       what we owe: serials, precedence, retransmission
inbox        what we are owed: order, repeats, gaps
receipts     READ receipts until the peer has noted them
status       the picture of everything for people
"""
