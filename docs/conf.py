"""Sphinx's settings. The target docs adds the release and where Doxygen's XML lies
(cmake/project/Docs.cmake)."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

project = "linked_neurons"
extensions = ["activation_plot", "breathe", "myst_parser"]

breathe_default_project = project
breathe_projects = {project: ""}
primary_domain = "cpp"

myst_heading_anchors = 3
suppress_warnings = ["myst.header"]  # pages that are included begin at the level that they have

html_theme = "furo"
html_title = project
html_static_path = ["static"]
html_css_files = ["site.css"]
html_copy_source = False
html_use_index = False
html_show_copyright = False
html_theme_options = {"top_of_page_buttons": []}
