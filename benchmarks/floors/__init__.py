"""Floors: what the parts alone cost. Nothing here knows understudy."""
