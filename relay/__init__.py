"""The relay: stores and forwards sealed envelopes it cannot read, and signs for what it holds."""
