# SPDX-License-Identifier: Apache-2.0
"""What the plugin adds to the Compute API, as openstacksdk sees it."""

from openstack import resource


class NumaHost(resource.Resource):
    """A compute host with its NUMA nodes."""

    resource_key = 'numa_host'
    resources_key = 'numa_hosts'
    base_path = '/os-numa-nodes'

    allow_fetch = True
    allow_list = True

    _query_mapping = resource.QueryParameters('host')

    #: The name of the host.
    host = resource.Body('host', alternate_id=True)
    #: Why its nodes are not known, None where they are.
    error = resource.Body('error')
    #: One dictionary a node, as the API has it.
    numa_nodes = resource.Body('numa_nodes', type=list)


class NumaPlacement(resource.Resource):
    """Where a server was asked to be, claims to be, and is."""

    resource_key = 'numa_placement'
    base_path = '/servers/%(server_id)s/os-numa-placement'

    allow_fetch = True

    server_id = resource.URI('server_id')
    #: The name of the host that it is on.
    host = resource.Body('host')
    #: When the pages were counted: "now", "after_move", or None.
    measured = resource.Body('measured')
    #: Why they were not counted now.
    error = resource.Body('error')
    #: One dictionary a guest cell, as the API has it.
    cells = resource.Body('cells', type=list)
