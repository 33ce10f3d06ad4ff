"""The conversation with Connect: claim the session, call, store the page that came back. No transaction spans a call."""
