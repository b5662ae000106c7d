"""For Phusion Passenger and hosting panels built on it: put this file next to app.py and configure it as the startup file."""

import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from app import create_app

application = create_app()
