"""Bytes <-> typed values, strictly.

codec       one strict spelling for every protobuf message of ours
envelope    the fixed header that relays see
inner       what is inside a sealed envelope: type, content, signature, padding
v1          generated from proto/; never edited
"""
