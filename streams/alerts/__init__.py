"""Alerts: rules as data, their state machine in event time, and what a rule would have done."""
