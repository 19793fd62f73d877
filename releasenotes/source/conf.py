# SPDX-License-Identifier: Apache-2.0

extensions = ['openstackdocstheme', 'reno.sphinxext']
master_doc = 'index'
project = 'nova-numa-migrate Release Notes'
copyright = 'nova-numa-migrate contributors'

openstackdocs_repo_name = 'nova-numa-migrate'
openstackdocs_auto_name = False
openstackdocs_auto_version = False
html_theme = 'openstackdocs'
