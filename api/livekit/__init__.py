"""What the API does with a LiveKit server: lets people in, looks after rooms, and has the bridge take and make phone calls."""
