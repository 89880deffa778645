"""Direct paging: messages to people through apprise, beside the alerts to Alertmanager (`--notify-file`)."""
