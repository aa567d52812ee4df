"""The operator's commands: parse, one call, print. No logic lives here.

main        the command tree
officer     status send inbox sent read watch
keys        key init terminal officer show verify
charter     charter offer new pairwise sign show verify rehearse
endpoint    endpoint run check
audit       audit list verify
settings    config init check show
doctor      is this terminal fit for duty?
demo        a complete hotline on this machine
rehearsal   a whole ceremony with throw-away keys
client      the connection to the endpoint daemon
output      words, tables and --json
exits       exit codes
"""
