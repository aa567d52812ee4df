"""The same Endpoint and Relay under virtual time (hotline/drill/simulator), hostile weather and judges.

weather   what goes wrong, drawn from a seed
judges    what must hold after every step, and in the end
run       one seed from storm to verdict; `python -m tests.simulator.run --seeds 20`
"""
