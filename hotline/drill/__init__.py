"""Resilience drills: plans, faults, measures and reports (docs/drills.md). On real processes, or in virtual time."""
