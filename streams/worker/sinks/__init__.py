"""Programs outside that hear of alerts: webhooks and Alertmanager."""
