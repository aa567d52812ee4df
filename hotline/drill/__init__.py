"""Resilience drills: plans, faults, measures and reports (docs/drills.md). Real processes on this machine."""
