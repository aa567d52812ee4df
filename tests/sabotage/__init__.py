"""Negative controls of the drills: deliberately weakened daemons, under which promises must break."""
