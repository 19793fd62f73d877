# SPDX-License-Identifier: Apache-2.0

extensions = [
    'openstackdocstheme',
    'oslo_config.sphinxconfiggen',
    'oslo_config.sphinxext',
    'oslo_policy.sphinxext',
    'oslo_policy.sphinxpolicygen',
]
master_doc = 'index'
project = 'nova-numa-migrate'
copyright = 'nova-numa-migrate contributors'

config_generator_config_file = (
    '../../etc/nova-numa-migrate/config-generator.conf'
)
sample_config_basename = '_static/nova-numa-migrate'
policy_generator_config_file = (
    '../../etc/nova-numa-migrate/policy-generator.conf'
)
sample_policy_basename = '_static/nova-numa-migrate'

openstackdocs_repo_name = 'nova-numa-migrate'
openstackdocs_auto_name = False
openstackdocs_auto_version = False
html_theme = 'openstackdocs'
html_static_path = ['_static']
