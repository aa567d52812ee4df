"""Where machines meet the world: clock, disk, streams, operators. Nothing in here decides.

driver       steps a machine and performs its outputs in the declared order
store        SQLite: records, ledger and operational tables in one transaction
dialer       keeps one stream to one relay open, for ever
operators    the local gRPC face for the people of this terminal
gate         who calls on the operator socket is asked of the kernel
frames       frames waiting for one stream
metrics      numbers for monitoring, on loopback
credentials  TLS 1.3 with pinned certificates
logs         structured logs that never hold a body or a key
notify       readiness and watchdog for systemd
"""
