"""MUC Light rooms."""
