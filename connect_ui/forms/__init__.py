"""One form per question, as the table in `connect_ui/routes.py` names it. No form reads the database."""
